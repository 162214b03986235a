"""Writes data/clinic_pairs.jsonl: 2,500 instruction-response pairs over the fact table.

The group column is the condition, so that a split by group asks about conditions whose answers
were never trained on.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

from samples.facts import LISTS, Topic, enumerate_items, load_topics
from samples.pair_templates import (
    ANSWERS,
    FOLLOW_UPS,
    NO_PREVENTION,
    QUESTIONS,
    SEVERAL,
    SILENT_SIGNS,
    SUPPORT,
)

ROWS = 2500
SEED = 11
OUTPUT = Path(__file__).parent / "data" / "clinic_pairs.jsonl"


def build_pairs() -> list[dict[str, str]]:
    """All rows, in the order of the file."""
    rng = random.Random(SEED)
    topics = load_topics()
    quotas = _quotas(len(topics), rng)
    rows: list[dict[str, str]] = []
    for topic, quota in zip(topics, quotas, strict=True):
        rows += topic_rows(topic, quota, rng)
    rng.shuffle(rows)
    return rows


def _quotas(topics: int, rng: random.Random) -> list[int]:
    """Rows per topic: as even as possible, the remainder given to topics drawn at random."""
    base, extra = divmod(ROWS, topics)
    quotas = [base + 1] * extra + [base] * (topics - extra)
    rng.shuffle(quotas)
    return quotas


def topic_rows(topic: Topic, count: int, rng: random.Random) -> list[dict[str, str]]:
    """Every subject once, then some of them again in another wording."""
    subjects = list(QUESTIONS)
    chosen = subjects + rng.sample(subjects, count - len(subjects))
    wordings = {subject: rng.sample(texts, 2) for subject, texts in QUESTIONS.items()}
    rows: list[dict[str, str]] = []
    used: set[str] = set()
    for subject in chosen:
        question = wordings[subject].pop().format(**topic.words())
        response = answer(topic, subject, rng)
        while response in used:
            response = answer(topic, subject, rng)
        used.add(response)
        rows.append({"instruction": question, "response": response, "group": topic.name})
    return rows


def answer(topic: Topic, subject: str, rng: random.Random) -> str:
    """The point asked about, then one or two sentences that belong to it."""
    words = topic.words() | {name: enumerate_items(topic.lists[name]) for name in LISTS}
    words["urgent_or"] = enumerate_items(topic.lists["urgent"], "or")
    words["spread"] = topic.spread or ""
    main = _main_templates(topic, subject, words)
    lines = [rng.choice(_numbered(topic, subject, main)).format(**words)]
    support = [field for field in SUPPORT[subject] if not _awkward(topic, field)]
    wanted = 1 if len(lines[0]) > 120 and rng.random() < 0.3 else 2
    picked = sorted(rng.sample(support, min(wanted, len(support))), key=support.index)
    for field in picked:
        lines.append(rng.choice(_numbered(topic, field, FOLLOW_UPS[field])).format(**words))
    return " ".join(lines)


def _numbered(topic: Topic, field: str, templates: list[str]) -> list[str]:
    """Without the sentences that announce several things where there is one."""
    if len(topic.lists.get(field, ())) > 1:
        return templates
    return [text for text in templates if not any(part in text for part in SEVERAL)]


def _main_templates(topic: Topic, subject: str, words: dict[str, str]) -> list[str]:
    """The sentences that fit; adds the placeholders that special cases need."""
    if subject == "spread" and topic.spread is None:
        return ANSWERS["no_spread"]
    if subject == "prevent" and _awkward(topic, "prevent"):
        words["prevent0"], words["prevent1"] = topic.lists["prevent"]
        return NO_PREVENTION
    if subject == "signs" and _awkward(topic, "signs"):
        words["signs0"], *rest = topic.lists["signs"]
        words["signs_rest"] = enumerate_items(rest)
        return SILENT_SIGNS
    return ANSWERS[subject]


def _awkward(topic: Topic, field: str) -> bool:
    """Lists that open with an absence read badly inside an ordinary sentence."""
    items = topic.lists.get(field, ("",))
    return items[0].startswith(("no symptoms", "no known", "no sure", "no need"))


def render(rows: list[dict[str, str]]) -> str:
    """JSON lines, one row each."""
    return "".join(json.dumps(row) + "\n" for row in rows)


def main() -> None:
    """Write the file, by default in its place in the repository."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    output: Path = parser.parse_args().output
    output.write_text(render(build_pairs()), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
