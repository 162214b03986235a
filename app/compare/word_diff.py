"""An answer set against another text, word by word: what both have, what it adds and what it leaves out. Pure."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from app.compare import words
from app.statistics import overlap, rouge

Kind = Literal["plain", "shared", "added", "removed"]

# What an answer is set against.
DIFFS = ("reference", "baseline")

# Common words with so few letters between two changes are chance: the reader is better served by one change.
FEW_LETTERS = 3

# With a smaller share of the other text's words the answer is another one: nobody reads that as a text with changes.
REWRITTEN_BELOW = 0.25

Pair = tuple[int, int]


class Piece(NamedTuple):
    """A stretch of the answer as it stands there; one that was `removed` stands in the other text instead."""

    text: str
    kind: Kind


def pieces(answer: str, reference: str, before: str | None, diff: str) -> list[Piece]:
    """Against the reference or the baseline's answer; where there is no such one, the answer as it is."""
    if diff == "reference":
        return shared(answer, reference)
    return changed(answer, before) if before is not None else [Piece(answer, "plain")]


def shared(answer: str, reference: str) -> list[Piece]:
    """The words that ROUGE-L counts are `shared`; all pieces joined are the answer again."""
    return [Piece(piece.text, "shared" if piece.matched else "plain") for piece in overlap.pieces(answer, reference)]


def changed(answer: str, before: str) -> list[Piece]:
    """What is `added` to the other text and `removed` from it; joined without the latter it is the answer again.

    One that has hardly a word of the other is `added` as a whole.
    """
    ours, theirs = words.spans(answer), words.spans(before)
    if len(ours) * len(theirs) > overlap.MOST_CELLS:
        return [Piece(answer, "plain")]
    said, said_before = _texts(answer, ours), _texts(before, theirs)
    pairs = _without_chance(_pairs(said, said_before), said, len(theirs))
    if said and len(pairs) < REWRITTEN_BELOW * len(said_before):
        return [Piece(answer, "added")]
    found, at, i, j = list[Piece](), 0, 0, 0
    for ours_next, theirs_next in [*pairs, (len(ours), len(theirs))]:
        start = ours[i][0] if i < len(ours) else len(answer)
        _add(found, answer[at:start], "plain")
        at = start
        if j < theirs_next:
            _add(found, _removed(before, theirs[j:theirs_next]), "removed")
        if i < ours_next:
            at = ours[ours_next - 1][1]
            _add(found, answer[start:at], "added")
        if ours_next < len(ours):
            _add(found, answer[at : ours[ours_next][1]], "plain")
            at = ours[ours_next][1]
        i, j = ours_next + 1, theirs_next + 1
    _add(found, answer[at:], "plain")
    return found


def _add(pieces: list[Piece], text: str, kind: Kind) -> None:
    """Neighbours of a kind are one piece."""
    if text and pieces and pieces[-1].kind == kind:
        text = pieces.pop().text + text
    if text:
        pieces.append(Piece(text, kind))


def _texts(text: str, spans: Sequence[Pair]) -> list[str]:
    return [text[start:end] for start, end in spans]


def _removed(before: str, spans: Sequence[Pair]) -> str:
    """With a space behind, so that it does not run into what stands in its place."""
    return before[spans[0][0] : spans[-1][1]] + " "


def _pairs(ours: Sequence[str], theirs: Sequence[str]) -> list[Pair]:
    """Of a longest common subsequence; equal beginnings and ends stay together."""
    limit = min(len(ours), len(theirs))
    head = next((n for n in range(limit) if ours[n] != theirs[n]), limit)
    limit -= head
    tail = next((n for n in range(limit) if ours[-1 - n] != theirs[-1 - n]), limit)
    end, their_end = len(ours) - tail, len(theirs) - tail
    middle = rouge.common_pairs(ours[head:end], theirs[head:their_end])
    return [
        *((n, n) for n in range(head)),
        *((i + head, j + head) for i, j in middle),
        *((end + n, their_end + n) for n in range(tail)),
    ]


def _without_chance(pairs: Sequence[Pair], ours: Sequence[str], theirs: int) -> list[Pair]:
    """Without stretches of a letter or three that stand alone between two changes."""
    kept: list[Pair] = []
    stretch: list[Pair] = []
    for pair, after in pairwise([*pairs, (len(ours), theirs)]):
        stretch.append(pair)
        if after == (pair[0] + 1, pair[1] + 1):
            continue
        before = kept[-1] if kept else (-1, -1)
        if not (_is_apart(before, stretch[0]) and _is_apart(pair, after) and _letters(stretch, ours) <= FEW_LETTERS):
            kept += stretch
        stretch = []
    return [*kept, *stretch]


def _is_apart(one: Pair, next_one: Pair) -> bool:
    """Whether words were both added and removed between the two."""
    return next_one[0] - one[0] > 1 and next_one[1] - one[1] > 1


def _letters(stretch: Sequence[Pair], ours: Sequence[str]) -> int:
    return sum(len(ours[place]) for place, _ in stretch)
