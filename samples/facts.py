"""Loads the fact table (data/facts/*.ini) that both the prose and the pairs are written from."""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from pathlib import Path

FACTS_DIR = Path(__file__).parent / "data" / "facts"
LISTS = ("causes", "risk", "signs", "tests", "care", "prevent", "harm", "urgent")
PHRASES = ("kind", "where", "what", "course")


@dataclass(frozen=True)
class Topic:
    """One condition: phrases are single clauses, lists hold noun phrases that can be enumerated."""

    name: str
    plural: bool
    area: str
    spread: str | None
    phrases: dict[str, str]
    lists: dict[str, tuple[str, ...]]

    @property
    def bare(self) -> str:
        """The name without an article, for headings and after adjectives."""
        first, _, rest = self.name.partition(" ")
        return rest if first in {"a", "an", "the"} else self.name

    def words(self) -> dict[str, str]:
        """Placeholders of the sentence templates; verbs agree with the name's number."""
        many = self.plural
        return {
            "x": self.name,
            "X": capital(self.name),
            "it": "they" if many else "it",
            "It": "They" if many else "It",
            "them": "them" if many else "it",
            "its": "their" if many else "its",
            "is": "are" if many else "is",
            "Is": "Are" if many else "Is",
            "has": "have" if many else "has",
            "does": "do" if many else "does",
            "s": "" if many else "s",
            **self.phrases,
        }


def capital(text: str) -> str:
    """Upper-case the first letter only, so that names inside keep their capitals."""
    return text[:1].upper() + text[1:]


def enumerate_items(items: tuple[str, ...] | list[str], last: str = "and") -> str:
    """'a', 'a and b', 'a, b and c'."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def load_topics() -> list[Topic]:
    """All topics in a fixed order: files by name, sections as written."""
    topics: list[Topic] = []
    for path in sorted(FACTS_DIR.glob("*.ini")):
        table = configparser.ConfigParser(interpolation=None, delimiters=("=",))
        table.read_string(path.read_text(encoding="utf-8"))
        topics += [_topic(name, table[name], path.stem) for name in table.sections()]
    return topics


def _topic(name: str, row: configparser.SectionProxy, area: str) -> Topic:
    return Topic(
        name=name,
        plural=row.getboolean("many", fallback=False),
        area=area.replace("_", " and "),
        spread=row.get("spread"),
        phrases={key: row[key] for key in PHRASES},
        lists={key: tuple(row[key].split("; ")) for key in LISTS},
    )
