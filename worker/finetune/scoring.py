"""BLEU and ROUGE-L as `evaluate` metrics of our own, which need no network, and what each row contributes to them.

`evaluate.load` fetches code from a hub; these are the same numbers from sacrebleu directly, and from
app.statistics.rouge, which counts as rouge_score does and is faster.
"""

import tempfile
from collections.abc import Sequence
from typing import Any

import datasets
import evaluate
from sacrebleu.metrics import BLEU

from app.statistics import rouge

_FEATURES = {"predictions": datasets.Value("string"), "references": datasets.Value("string")}


def _info(description: str, citation: str) -> evaluate.MetricInfo:
    return evaluate.MetricInfo(
        description=description,
        citation=citation,
        inputs_description="predictions and references: one text each",
        features=datasets.Features(_FEATURES),
    )


class Bleu(evaluate.Metric):  # type: ignore[misc]
    """Corpus BLEU, 0 to 1, tokenizer 13a."""

    def _info(self) -> evaluate.MetricInfo:
        return _info("corpus BLEU, 0 to 1, tokenizer 13a, as sacrebleu computes it", "Papineni et al. 2002; Post 2018")

    def _compute(self, predictions: Sequence[str], references: Sequence[str]) -> dict[str, float]:
        return {"bleu": BLEU(tokenize="13a").corpus_score(list(predictions), [list(references)]).score / 100}


class RougeL(evaluate.Metric):  # type: ignore[misc]
    """Mean over rows of the ROUGE-L F-measure, 0 to 1, without stemming."""

    def _info(self) -> evaluate.MetricInfo:
        return _info("mean ROUGE-L F-measure, 0 to 1, without stemming", "Lin 2004")

    def _compute(self, predictions: Sequence[str], references: Sequence[str]) -> dict[str, float]:
        scores = rouge_l_rows(predictions, references)
        return {"rouge_l": sum(scores) / len(scores)}


def rouge_l_rows(predictions: Sequence[str], references: Sequence[str]) -> list[float]:
    return [rouge.f_measure(p, r) for p, r in zip(predictions, references, strict=True)]


def bleu_rows(predictions: Sequence[str], references: Sequence[str]) -> list[list[int]]:
    """Each row's part in corpus BLEU: matching n-grams (1 to 4), n-grams in all (1 to 4), both lengths."""
    bleu = BLEU(tokenize="13a")
    scores = [bleu.corpus_score([p], [[r]]) for p, r in zip(predictions, references, strict=True)]
    return [[*s.counts, *s.totals, s.sys_len, s.ref_len] for s in scores]


def bleu(predictions: Sequence[str], references: Sequence[str]) -> float:
    return float(_compute(Bleu, predictions, references)["bleu"])


def rouge_l(predictions: Sequence[str], references: Sequence[str]) -> float:
    return float(_compute(RougeL, predictions, references)["rouge_l"])


def _compute(metric: type[Any], predictions: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    # A cache folder of its own: the default one lies in the home folder, which other runs share.
    with tempfile.TemporaryDirectory(prefix="tuneboard-metric-") as folder:
        found: dict[str, float] = metric(cache_dir=folder, keep_in_memory=True).compute(
            predictions=list(predictions), references=list(references)
        )
    return found
