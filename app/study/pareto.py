"""What cannot be improved in one thing without losing in another: the front of quality, time and memory."""

from collections.abc import Sequence

Point = Sequence[float]  # lower is better in every place


def front(points: Sequence[Point]) -> list[bool]:
    """For each point whether no other beats it: as good in everything, better in something. Equal ones share it."""
    return [not any(_beats(other, point) for other in points) for point in points]


def _beats(one: Point, other: Point) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)
