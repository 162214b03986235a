"""BLEU and ROUGE-L are those of sacrebleu and rouge_score, digit for digit."""

import random

import numpy as np
import pytest
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer

from app.statistics import paired
from worker.finetune import scoring

SENTENCE = "the heart rate of a patient rises when fever, pain or fear is present; it falls at rest."


def texts(seed: int, count: int = 60) -> tuple[list[str], list[str]]:
    draw = random.Random(seed)
    references = [" ".join(draw.choices(SENTENCE.split(), k=draw.randint(3, 25))) for _ in range(count)]
    predictions = [
        " ".join(w if draw.random() < 0.7 else draw.choice(SENTENCE.split()) for w in r.split()) for r in references
    ]
    predictions[0], predictions[1], references[2] = "", "Fever.", "Diagnosed? Diagnosing diagnoses 3.5 mg/l!"
    return predictions, references


def test_bleu_is_sacrebleus_corpus_score() -> None:
    predictions, references = texts(1)
    expected = sacrebleu.corpus_bleu(predictions, [references], tokenize="13a").score / 100
    assert scoring.bleu(predictions, references) == expected
    mean = sum(sacrebleu.sentence_bleu(p, [r]).score for p, r in zip(predictions, references, strict=True)) / 6000
    assert abs(mean - expected) > 0.001  # the mean over sentences is another number


def test_rouge_l_is_the_mean_f_measure_without_stemming() -> None:
    predictions, references = texts(2)
    predictions[3], references[3] = "diagnoses diagnosed", "diagnosis diagnosing"

    def mean(stem: bool) -> float:
        scorer = RougeScorer(["rougeL"], use_stemmer=stem)
        pairs = zip(predictions, references, strict=True)
        return float(sum(scorer.score(r, p)["rougeL"].fmeasure for p, r in pairs) / len(references))

    assert scoring.rouge_l(predictions, references) == mean(stem=False)
    assert mean(stem=True) != mean(stem=False)


def test_the_parts_of_the_rows_make_up_corpus_bleu() -> None:
    predictions, references = texts(3)
    parts = scoring.bleu_rows(predictions, references)
    whole = scoring.bleu(predictions, references)
    assert paired.bleu([np.sum(parts, axis=0)])[0] == pytest.approx(whole, abs=1e-12)


def test_nothing_said_scores_nothing() -> None:
    assert scoring.bleu(["", ""], ["a b c d e", "f g"]) == 0
    assert scoring.rouge_l(["", ""], ["a b c d e", "f g"]) == 0
