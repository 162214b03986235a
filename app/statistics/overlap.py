"""Which words of an answer ROUGE-L counts: those of a longest common subsequence with the reference. Pure."""

from dataclasses import dataclass

from app.statistics import rouge

# Words of the answer times words of the reference: beyond this, marking would hold up the page for longer than it
# helps.
MOST_CELLS = 25_000_000


@dataclass(frozen=True)
class Piece:
    """A stretch of the answer as it stands there, and whether the reference has it too."""

    text: str
    matched: bool


def pieces(answer: str, reference: str) -> list[Piece]:
    """The answer cut into stretches; joined they are the answer again."""
    found: list[Piece] = []
    position = 0
    for start, end in _common(answer, reference):
        if start > position:
            found.append(Piece(answer[position:start], matched=False))
        found.append(Piece(answer[start:end], matched=True))
        position = end
    return [*found, Piece(answer[position:], matched=False)] if position < len(answer) else found


def _common(answer: str, reference: str) -> list[tuple[int, int]]:
    """Where the common words stand, neighbours as one; none where the texts are too long to compare."""
    ours, theirs = rouge.words(answer), rouge.words(reference)
    if len(ours) * len(theirs) > MOST_CELLS:
        return []
    spans, places = rouge.spans(answer), rouge.common_places(ours, theirs)
    joined: list[tuple[int, int]] = []
    for before, place in zip([-1, *places], places, strict=False):
        start, end = spans[place]
        if joined and place == before + 1:
            start = joined.pop()[0]
        joined.append((start, end))
    return joined
