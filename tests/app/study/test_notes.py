import pytest

from app.study.notes import disagrees


@pytest.mark.parametrize(
    ("note", "better", "is_best", "expected"),
    [
        ("Higher LR - slight improvement", False, False, True),
        ("Higher LR - slight improvement", None, False, True),
        ("Higher LR - slight improvement", True, False, False),
        ("Lower LR - worse performance", False, False, False),
        ("worse", True, False, True),
        ("Higher rank - best performance", True, False, True),
        ("More epochs - best overall", True, True, False),
        ("Smaller batch - slower convergence", False, False, False),
        ("no improvement", False, False, False),
        ("better BLEU, worse perplexity", None, False, False),
        ("", None, False, False),
    ],
)
def test_a_note_is_held_against_the_numbers(note: str, better: bool | None, is_best: bool, expected: bool) -> None:
    assert disagrees(note, better, is_best=is_best) is expected
