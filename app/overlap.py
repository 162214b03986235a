"""Which words of an answer ROUGE-L counts: those of a longest common subsequence with the reference. Pure.

Words are cut as rouge_score cuts them without stemming: runs of a-z and 0-9 in the lower-cased text.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_WORD = re.compile(r"[a-z0-9]+", re.ASCII | re.IGNORECASE)

# The table has one cell for each pair of words: beyond this, marking would hold up the page for longer than it helps.
MOST_CELLS = 250_000


@dataclass(frozen=True)
class Piece:
    """A stretch of the answer as it stands there, and whether the reference has it too."""

    text: str
    matched: bool


def pieces(answer: str, reference: str) -> list[Piece]:
    """The answer cut into stretches; joined they are the answer again."""
    words = list(_WORD.finditer(answer))
    ours, theirs = [w.group().lower() for w in words], [w.lower() for w in _WORD.findall(reference)]
    spans = [words[i].span() for i in _common(ours, theirs)]
    found: list[Piece] = []
    position = 0
    for start, end in _joined(spans, answer):
        if start > position:
            found.append(Piece(answer[position:start], matched=False))
        found.append(Piece(answer[start:end], matched=True))
        position = end
    return [*found, Piece(answer[position:], matched=False)] if position < len(answer) else found


def _joined(spans: Sequence[tuple[int, int]], answer: str) -> list[tuple[int, int]]:
    """Neighbouring matches with no word between them become one."""
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and not _WORD.search(answer, joined[-1][1], start):
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _common(ours: Sequence[str], theirs: Sequence[str]) -> list[int]:
    """Places in `ours` of a longest common subsequence; none where the texts are too long to compare."""
    if len(ours) * len(theirs) > MOST_CELLS:
        return []
    lengths = _lengths(ours, theirs)
    places, i, j = [], 0, 0
    while i < len(ours) and j < len(theirs):
        if ours[i] == theirs[j]:
            places.append(i)
            i, j = i + 1, j + 1
        elif lengths[i + 1][j] >= lengths[i][j + 1]:
            i += 1
        else:
            j += 1
    return places


def _lengths(ours: Sequence[str], theirs: Sequence[str]) -> list[list[int]]:
    """Length of the longest common subsequence of ours[i:] and theirs[j:] at [i][j]."""
    table = [[0] * (len(theirs) + 1) for _ in range(len(ours) + 1)]
    for i in range(len(ours) - 1, -1, -1):
        below, row = table[i + 1], table[i]
        for j in range(len(theirs) - 1, -1, -1):
            row[j] = below[j + 1] + 1 if ours[i] == theirs[j] else max(below[j], row[j + 1])
    return table
