"""Writes varied encyclopedia prose over the fact table, the text the base model learns from.

The prose holds every fact in many wordings but never a question, so that a fine-tuning run has
the answer format left to teach.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from samples.facts import LISTS, Topic, capital, enumerate_items, load_topics
from samples.prose_templates import (
    HEADINGS,
    LEADS,
    LINKS,
    NO_PREVENTION,
    OPENERS,
    SENTENCES,
    SILENT_SIGNS,
    THEMES,
)

ESSAYS = Path(__file__).parent / "data" / "essays.txt"  # general texts, one a line
FIELDS = tuple(HEADINGS)
JOINS = (" and ", " as well as ", " and also ", " together with ")


def documents(count: int, seed: int = 1) -> list[str]:
    """`count` documents; the same arguments give the same text."""
    return list(islice(stream(seed), count))


def stream(seed: int) -> Iterator[str]:
    """Endless documents: topics take turns in a new order each round, with essays in between."""
    rng = random.Random(seed)
    topics = load_topics()
    index = shared_items(topics)
    essays = ESSAYS.read_text(encoding="utf-8").splitlines()
    while True:
        for topic in rng.sample(topics, len(topics)):
            yield rng.choices((article, paragraph, note, guide), (2, 3, 2, 4))[0](topic, rng)
            if rng.random() < 0.12:
                yield comparison(topic, rng.choice(topics), rng)
            if rng.random() < 0.12:
                yield index_note(index, rng)
            if rng.random() < 0.06:
                yield " ".join(rng.sample(essays, rng.randint(1, 3)))


def article(topic: Topic, rng: random.Random) -> str:
    """A page with a title and a heading per field."""
    parts = [f"{rng.choice(('#', '##'))} {capital(topic.bare)}"]
    mark = rng.choice(("##", "###"))
    fields = list(FIELDS[1:])
    rng.shuffle(fields)
    for field in ["kind", *fields[: rng.randint(3, 8)]]:
        text = sentence(topic, field, rng)
        if rng.random() < 0.3:
            text += " " + sentence(topic, rng.choice(FIELDS), rng)
        colon = rng.choice(("", ":"))
        parts.append(f"{mark} {rng.choice(HEADINGS[field])}{colon}\n{text}")
    return "\n\n".join(parts)


def paragraph(topic: Topic, rng: random.Random) -> str:
    """Running text: the definition mostly first, the other fields in any order."""
    fields = list(FIELDS[1:])
    rng.shuffle(fields)
    fields = fields[: rng.randint(4, 10)]
    fields.insert(0 if rng.random() < 0.7 else rng.randint(0, 4), "kind")
    lines = [sentence(topic, field, rng) for field in fields]
    if rng.random() < 0.4:
        lines.insert(rng.randint(1, len(lines)), rng.choice(LINKS))
    if rng.random() < 0.3:
        middle = len(lines) // 2
        return " ".join(lines[:middle]) + "\n\n" + " ".join(lines[middle:])
    return " ".join(lines)


def note(topic: Topic, rng: random.Random) -> str:
    """Two or three sentences only, so that the end of a text is a common sight."""
    lines = [sentence(topic, field, rng) for field in rng.sample(FIELDS, rng.randint(2, 3))]
    lead = rng.choice((f"{capital(topic.bare)}: ", f"On {topic.name}. ", "", ""))
    return lead + " ".join(lines)


def guide(topic: Topic, rng: random.Random) -> str:
    """A heading or lead that names topic and field, then text that keeps to both."""
    field = rng.choice(FIELDS)
    theme = rng.choice(THEMES[field]).format(**topic.words())
    if rng.random() < 0.5:
        head = f"{rng.choice(('#', '##', '###'))} {capital(theme)}\n"
    else:
        head = rng.choice(LEADS).format(theme=theme) + rng.choice((" ", "\n\n"))
    if rng.random() < 0.3:
        head = f"{head.rstrip()}\n\n### {rng.choice(HEADINGS[field])}:\n"
    fields = [field, *rng.sample(FIELDS, rng.randint(0, 3))]
    return head + " ".join(sentence(topic, name, rng) for name in fields)


def comparison(one: Topic, two: Topic, rng: random.Random) -> str:
    """Two topics side by side, field by field."""
    parts = [f"{capital(one.name)} and {two.name} are easily told apart."]
    for field in rng.sample(("kind", "where", "signs", "care", "course", "causes"), 2):
        parts.append(sentence(one, field, rng))
        parts.append(rng.choice(("By contrast: ", "On the other hand: ", "")))
        parts[-1] += sentence(two, field, rng)
    return " ".join(parts)


def shared_items(topics: list[Topic]) -> list[tuple[str, str, list[str]]]:
    """(field, item, names of the topics that share it), for items of two topics or more."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for topic in topics:
        for field in ("signs", "tests", "care", "risk"):
            for item in topic.lists[field]:
                found[field, item].append(topic.name)
    return [(field, item, names) for (field, item), names in found.items() if len(names) > 1]


def index_note(index: list[tuple[str, str, list[str]]], rng: random.Random) -> str:
    """What several topics have in common."""
    field, item, names = rng.choice(index)
    chosen = enumerate_items(rng.sample(names, min(len(names), rng.randint(2, 5))))
    lead = {
        "signs": ("{0} may be a sign of {1}.", "Behind {2} there can be {1}."),
        "tests": ("{0} may be used in {1}.", "Doctors order {2} when they think of {1}."),
        "care": ("{0} can be part of the treatment of {1}.", "For {1}, one option is {2}."),
        "risk": ("{0} should know about {1}.", "Among {2}, doctors often see {1}."),
    }
    text = rng.choice(lead[field]).format(capital(item), chosen, item)
    return f"{text} {rng.choice(LINKS)}"


def sentence(topic: Topic, field: str, rng: random.Random) -> str:
    """One sentence on one field in a random wording."""
    words = topic.words() | {"itself": "themselves" if topic.plural else "itself"}
    words |= {name: listing(topic.lists[name], rng) for name in LISTS}
    words["Risk"] = capital(words["risk"])
    words["urgent_or"] = enumerate_items(topic.lists["urgent"], "or")
    templates = SENTENCES[field]
    if field == "spread":
        words["spread"] = topic.spread or ""
        templates = SENTENCES["spread" if topic.spread else "no_spread"]
    elif field == "prevent" and topic.lists["prevent"][0].startswith("no "):
        words["prevent0"], words["prevent1"] = topic.lists["prevent"]
        templates = NO_PREVENTION
    elif field == "signs" and topic.lists["signs"][0].startswith("no symptoms"):
        words["signs0"], *rest = topic.lists["signs"]
        words["signs_rest"] = enumerate_items(rest)
        templates = SILENT_SIGNS
    return opened(rng.choice(templates).format(**words), words, rng)


def opened(text: str, words: dict[str, str], rng: random.Random) -> str:
    """The sentence, now and then behind an opener; a name keeps the capital it is born with."""
    if rng.random() > 0.15 or text.startswith(words["Risk"]):
        return text
    named = text.startswith(words["X"])
    text = words["x"] + text.removeprefix(words["X"]) if named else text[0].lower() + text[1:]
    return rng.choice(OPENERS) + text


def listing(items: tuple[str, ...], rng: random.Random) -> str:
    """The items as written in half of the cases, else some of them in another order."""
    if rng.random() < 0.5 or len(items) < 2:
        return enumerate_items(items)
    some = rng.sample(items, rng.randint(2, len(items)))
    if len(some) == 2:
        return rng.choice(JOINS).join(some)
    return enumerate_items(some)


if __name__ == "__main__":
    print("\n\n".join(documents(20)))
