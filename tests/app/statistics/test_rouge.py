"""Common words are counted right: where they stand, and how many of them there are."""

import random

import pytest

from app.statistics import rouge

LETTERS = "abAB 12 ,.-éİKſß\n\tςΣ日本"


def texts(count: int) -> list[tuple[str, str]]:
    noise = random.Random(1)
    return [
        (
            "".join(noise.choices(LETTERS, k=noise.randint(0, 40))),
            "".join(noise.choices(LETTERS, k=noise.randint(0, 40))),
        )
        for _ in range(count)
    ]


def longest(ours: list[str], theirs: list[str]) -> int:
    """The table, the long way."""
    above = [0] * (len(theirs) + 1)
    for word in ours:
        row = [0]
        for j, other in enumerate(theirs):
            row.append(above[j] + 1 if word == other else max(above[j + 1], row[j]))
        above = row
    return above[-1]


def test_places_are_a_longest_common_subsequence() -> None:
    for answer, reference in texts(500):
        ours, theirs = rouge.words(answer), rouge.words(reference)
        places = rouge.common_places(ours, theirs)
        assert places == sorted(set(places))
        assert len(places) == rouge.common_length(ours, theirs) == longest(ours, theirs)
        rest = iter(theirs)
        assert all(ours[place] in rest for place in places)


def test_words_stand_where_their_letters_do() -> None:
    for answer, _ in texts(500):
        found = ["".join(letter for letter in answer[a:b].lower() if letter.isascii()) for a, b in rouge.spans(answer)]
        assert found == rouge.words(answer)


@pytest.mark.parametrize(("answer", "reference"), [("", ""), ("a", ""), ("", "a"), ("?!", "a"), ("b", "a")])
def test_nothing_in_common_scores_nothing(answer: str, reference: str) -> None:
    assert rouge.f_measure(answer, reference) == 0


def test_equal_words_score_one_whatever_stands_between_them() -> None:
    assert rouge.f_measure("Rest, and drink!", "rest and drink") == 1
