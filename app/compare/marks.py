"""What can be said of an answer at a glance: names for filters and counts, each with the rule behind it."""

from dataclasses import dataclass

# A ROUGE-L or a loss a token that differs by no more is the same answer as far as a person can tell.
SAME = 0.005
REPEATS_FROM = 0.2
LONG, SHORT = 2.0, 0.5


@dataclass(frozen=True)
class Mark:
    """`help` says exactly when an answer has it; `is_fault` those that nobody wants."""

    name: str
    label: str
    help: str
    is_fault: bool = False


BETTER = Mark("better", "Better", "scores better than what it is set against")
WORSE = Mark("worse", "Worse", "scores worse than what it is set against", is_fault=True)
SAME_TEXT = Mark("same", "Same text", "word for word what it is set against")
REPEATS = Mark(
    "repeats", "Repeats", "a fifth or more of its four-word sequences stand in it twice or more", is_fault=True
)
EMPTY = Mark("empty", "Empty", "has no word at all", is_fault=True)
CUT = Mark("cut", "Cut off", "stopped at the most new tokens, before it came to its end", is_fault=True)
LONGER = Mark("longer", "Longer", "more than twice as many words as the reference")
SHORTER = Mark("shorter", "Shorter", "less than half as many words as the reference")

MARKS = (BETTER, WORSE, SAME_TEXT, REPEATS, EMPTY, CUT, LONGER, SHORTER)
BY_NAME = {mark.name: mark for mark in MARKS}

# Those that an answer has by itself, whatever it is set against.
OWN = (REPEATS, EMPTY, CUT, LONGER, SHORTER)


def own(words: int, reference_words: int, repetition: float, *, ended: bool | None) -> frozenset[str]:
    """The names of OWN that hold; whether an old answer was cut off is not known."""
    holds = {
        REPEATS: repetition >= REPEATS_FROM,
        EMPTY: words == 0,
        CUT: ended is False,
        LONGER: words > LONG * reference_words,
        SHORTER: 0 < words < SHORT * reference_words,
    }
    return _names(frozenset(mark.name for mark, is_so in holds.items() if is_so))


_known: dict[frozenset[str], frozenset[str]] = {}


def _names(found: frozenset[str]) -> frozenset[str]:
    """One object for equal sets: tens of thousands of answers have one of a few."""
    return _known.setdefault(found, found)
