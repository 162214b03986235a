"""ROUGE-L: the words that two texts share in one order, counted as rouge_score counts them without stemming. Pure.

The longest common subsequence is found a whole row of the usual table at a time: a row is one integer, a bit a word,
set where the subsequence grew by this word (Hyyro 2004, "Bit-parallel LCS-length computation revisited").
"""

import re
from collections.abc import Iterator, Sequence

_WORD = re.compile(r"[a-z0-9]+")


def words(text: str) -> list[str]:
    """Runs of a-z and 0-9 in the lower-cased text."""
    return _WORD.findall(text.lower())


def spans(text: str) -> list[tuple[int, int]]:
    """Where the same words stand in the text as it was written."""
    lower = text.lower()
    found = [match.span() for match in _WORD.finditer(lower)]
    if len(lower) == len(text):
        return found
    # One letter may become two in lower case (a capital I with a dot): back to the letter that each came from.
    origin = [place for place, letter in enumerate(text) for _ in letter.lower()]
    return [(origin[start], origin[end - 1] + 1) for start, end in found]


def f_measure(answer: str, reference: str) -> float:
    """0 to 1, equal to the last bit to rouge_score's; 0 where either has no words."""
    ours, theirs = words(answer), words(reference)
    shared = common_length(ours, theirs)
    if not shared:
        return 0.0
    precision, recall = shared / len(ours), shared / len(theirs)
    return 2 * precision * recall / (precision + recall)


def common_length(ours: Sequence[str], theirs: Sequence[str]) -> int:
    """Of a longest common subsequence."""
    grown = 0
    for row in _rows(ours, theirs):
        grown = row
    return grown.bit_count()


def common_places(ours: Sequence[str], theirs: Sequence[str]) -> list[int]:
    """Places in `ours` of a longest common subsequence."""
    return [place for place, _ in common_pairs(ours, theirs)]


def common_pairs(ours: Sequence[str], theirs: Sequence[str]) -> list[tuple[int, int]]:
    """The words of a longest common subsequence, each by its place in `ours` and in `theirs`."""
    rows = list(_rows(ours, theirs))
    pairs, i, j = [], len(ours), len(theirs)
    while i and j:
        i -= 1
        if not rows[j - 1] >> i & 1:
            continue
        j -= 1
        while j and rows[j - 1] >> i & 1:  # an earlier word of theirs had matched it already
            j -= 1
        pairs.append((i, j))
    return pairs[::-1]


def _rows(ours: Sequence[str], theirs: Sequence[str]) -> Iterator[int]:
    """The rows of the table, one for each word of theirs."""
    where: dict[str, int] = {}
    for place, word in enumerate(ours):
        where[word] = where.get(word, 0) | 1 << place
    full = (1 << len(ours)) - 1
    left = full  # words that the subsequence did not grow by
    for word in theirs:
        same = left & where.get(word, 0)
        left = ((left + same) | (left - same)) & full
        yield full ^ left
