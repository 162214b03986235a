import random

import pytest

from app.statistics.overlap import MOST_CELLS, pieces


def marked(answer: str, reference: str) -> str:
    return "".join(f"[{piece.text}]" if piece.matched else piece.text for piece in pieces(answer, reference))


def test_words_of_the_reference_in_its_order_are_marked() -> None:
    assert marked("Rest, and drink a lot.", "Drink a lot and rest.") == "Rest, and [drink a lot]."


def test_case_and_punctuation_do_not_count() -> None:
    assert marked("HIGH blood-pressure!", "high, blood pressure") == "[HIGH blood-pressure]!"


@pytest.mark.parametrize(("answer", "reference"), [("", "a"), ("a b", ""), ("", ""), ("?!", "?!")])
def test_nothing_in_common_marks_nothing(answer: str, reference: str) -> None:
    assert "[" not in marked(answer, reference)


def test_no_character_is_lost() -> None:
    noise = random.Random(1)
    for _ in range(200):
        answer, reference = ("".join(noise.choices("aB ,é\n1-", k=noise.randint(0, 30))) for _ in range(2))
        assert "".join(piece.text for piece in pieces(answer, reference)) == answer


def test_marked_words_are_those_that_rouge_l_counts() -> None:
    rouge_scorer = pytest.importorskip("rouge_score.rouge_scorer")
    scorer = rouge_scorer.RougeScorer(["rougeL"])
    noise = random.Random(2)
    words = ["the", "a", "of", "high-pressure", "blood", "Pressure", "heart's", "is", "130/80", "mm"]
    for _ in range(100):
        answer, reference = (" ".join(noise.choices(words, k=noise.randint(1, 20))) for _ in range(2))
        count = sum(
            len("".join(c if c.isalnum() else " " for c in p.text).split())
            for p in pieces(answer, reference)
            if p.matched
        )
        whole = len("".join(c if c.isalnum() else " " for c in answer).split())
        assert count / whole == pytest.approx(scorer.score(reference, answer)["rougeL"].precision)


def test_texts_too_long_to_compare_stay_unmarked() -> None:
    long = "word " * (int(MOST_CELLS**0.5) + 1)
    assert not any(piece.matched for piece in pieces(long, long))
