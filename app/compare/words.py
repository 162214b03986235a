"""Words as a reader counts them, in any script, and how much of a text is said more than once. Pure."""

import re
from collections.abc import Sequence

# A character of a script that is written without spaces is a word of its own; 130/80, 3.5 and co-worker are one each.
_WORD = re.compile(r"[぀-ヿ㐀-鿿]|[^\W_]+(?:['’.,:/-][^\W_]+)*|[^\w\s]|_")

# How many words in a row make a sequence: so many hardly ever come twice by chance.
ORDER = 4


def spans(text: str) -> list[tuple[int, int]]:
    """Where words and punctuation marks stand."""
    return [match.span() for match in _WORD.finditer(text)]


def words(text: str) -> list[str]:
    """Words and punctuation marks."""
    return _WORD.findall(text)


def count(found: Sequence[str]) -> int:
    """Words alone, without the punctuation among them."""
    return sum(word[0].isalnum() for word in found)


def repetition(found: Sequence[str]) -> float:
    """The share of sequences of four words that stood in the text before: 0 of plain prose, near 1 of a loop.

    Welleck et al. 2020, "Neural Text Generation with Unlikelihood Training" (seq-rep-4).
    """
    lower = [word.lower() for word in found]
    sequences = len(lower) - ORDER + 1
    if sequences < ORDER:
        return 0.0
    return 1 - len(set(zip(*(lower[start:] for start in range(ORDER)), strict=False))) / sequences
