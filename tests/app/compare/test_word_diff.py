"""Word diffs: nothing of an answer is lost or made up, and what differs is what a reader would say."""

import random

import pytest

from app.compare import words
from app.compare.word_diff import Piece, changed, pieces, shared

VOCABULARY = ["a", "the", "pale", "skin,", " ", "\n", "cold.", "und", "é", "130/80", "İ", "発熱", "(see", "below)"]


def texts(found: list[Piece], *kinds: str) -> list[str]:
    return [piece.text.strip() for piece in found if piece.kind in kinds]


def test_what_was_added_and_left_out_stands_in_its_place() -> None:
    found = changed("See your doctor about the rash today.", "See a doctor about the rash.")
    assert [(piece.text, piece.kind) for piece in found] == [
        ("See ", "plain"),
        ("a ", "removed"),
        ("your", "added"),
        (" doctor about the rash ", "plain"),
        ("today", "added"),
        (".", "plain"),
    ]


@pytest.mark.parametrize("text", ["", "One.", "The same words, twice: the same words."])
def test_an_answer_that_did_not_change_has_no_marks(text: str) -> None:
    assert not texts(changed(text, text), "added", "removed")


def test_a_small_word_between_two_changes_is_no_island() -> None:
    before = "Signs are tiredness, weakness and a cold, which come and go. See a nurse when they last."
    after = "Signs are tiredness, pale skin and the flu, which come and go. See a nurse when they last."
    found = changed(after, before)
    assert texts(found, "removed") == ["weakness and a cold"]
    assert texts(found, "added") == ["pale skin and the flu"]


def test_an_answer_with_hardly_a_word_in_common_is_another_answer() -> None:
    found = changed("It is best to ask someone else.", "Tiredness, weakness and shortness of breath are common signs.")
    assert found == [Piece("It is best to ask someone else.", "added")]


def test_where_there_was_nothing_everything_is_new_and_the_other_way_round() -> None:
    assert changed("All new.", "") == [Piece("All new.", "added")]
    assert texts(changed("", "Gone now."), "removed") == ["Gone now."]


def test_the_reference_shares_what_rouge_counts() -> None:
    found = shared("The cuff measures pressure", "A cuff measures the pressure")
    assert texts(found, "shared") == ["cuff measures pressure"]


def test_without_a_baseline_the_answer_stands_as_it_is() -> None:
    assert pieces("As it is.", "reference", None, "baseline") == [Piece("As it is.", "plain")]


def test_whatever_is_compared_the_answer_is_there_word_for_word() -> None:
    choice = random.Random(5)
    for _ in range(3000):
        answer, before = (" ".join(choice.choices(VOCABULARY, k=choice.randint(0, 14))) for _ in range(2))
        found = changed(answer, before)
        assert "".join(piece.text for piece in found if piece.kind != "removed") == answer
        assert "".join(piece.text for piece in shared(answer, before)) == answer
        if texts(found, "removed"):
            rest = " ".join(piece.text for piece in found if piece.kind != "added")
            assert words.words(rest) == words.words(before)
