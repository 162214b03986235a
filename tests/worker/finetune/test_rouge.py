"""ROUGE-L is rouge_score's to the last bit, and the words marked on a page are those that it counts."""

import random
from collections.abc import Iterator

import pytest
from rouge_score.rouge_scorer import RougeScorer

from app.statistics.overlap import pieces
from app.statistics.rouge import spans, words
from worker.finetune import scoring

WORDS = [
    "the",
    "a",
    "of",
    "high-pressure",
    "blood",
    "Pressure",
    "heart's",
    "is",
    "130/80",
    "mm",
    "İstanbul",
    "Kelvin",
    "STRASSE",
    "straße",
]
LETTERS = "abAB 12 ,.-éİ\u212aſß\n\tςΣ日本\u200b😀"


def pairs(seed: int) -> Iterator[tuple[str, str]]:
    noise = random.Random(seed)
    for _ in range(2000):
        yield tuple("".join(noise.choices(LETTERS, k=noise.randint(0, 40))) for _ in range(2))
        yield tuple(" ".join(noise.choices(WORDS, k=noise.randint(0, 90))) for _ in range(2))
    yield from [("", ""), ("", "a"), ("a", ""), ("word " * 300, "word " * 400), ("a b", "b a")]


@pytest.mark.parametrize("seed", [1, 2])
def test_rows_score_what_rouge_score_gives_them(seed: int) -> None:
    answers, references = map(list, zip(*pairs(seed), strict=True))
    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    expected = [scorer.score(r, a)["rougeL"].fmeasure for a, r in zip(answers, references, strict=True)]
    assert scoring.rouge_l_rows(answers, references) == expected


def test_marked_words_are_as_many_as_rouge_score_counts() -> None:
    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    for answer, reference in pairs(3):
        marked = sum(len(words(piece.text)) for piece in pieces(answer, reference) if piece.matched)
        precision = scorer.score(reference, answer)["rougeL"].precision
        assert marked == round(precision * len(spans(answer)))
