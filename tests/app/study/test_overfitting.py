import pytest

from app.study.overfitting import Losses, judge
from app.study.text import overfitting_sentence


@pytest.mark.parametrize(
    ("held_out", "train", "overfits", "said"),
    [
        ([(1, 3.0), (2, 2.5), (3, 2.8)], (3.1, 1.0), True, "Overfits: its held-out loss was lowest at 2.500"),
        ([(1, 3.0), (2, 2.5), (3, 2.8)], (None, None), True, "is 2.800 at the end, +12.0 %"),
        ([(1, 3.0), (2, 2.5), (3, 2.8)], (2.0, 2.4), False, "Diverges"),
        ([(1, 3.0), (2, 2.5), (3, 2.51)], (3.1, 2.0), False, "No overfitting to speak of"),
        ([(1, 3.0), (2, 2.5)], (3.1, 2.0), False, "No overfitting: its held-out loss is lowest at the end (2.500)"),
        ([(1, 3.0)], (3.1, 2.0), None, "cannot be told"),
        ([], (None, None), None, "cannot be told"),
    ],
)  # fmt: skip
def test_overfitting_is_said_or_denied(
    held_out: list[tuple[float, float]], train: tuple[float | None, float | None], overfits: bool | None, said: str
) -> None:
    seen = judge(Losses(tuple(held_out), *train))
    assert seen.overfits is overfits
    assert said in overfitting_sentence(seen)
