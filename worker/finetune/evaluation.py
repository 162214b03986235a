"""A model measured on the held-out rows: perplexity, BLEU and ROUGE-L, and each row's part in them."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.data.rows import Row
from app.metrics import BY_SHORT
from worker.finetune.generation import Decoding, generate
from worker.finetune.likelihood import likelihood
from worker.finetune.paths import PLAIN, Paths
from worker.finetune.reporter import Reporter
from worker.finetune.tokens import Encoded, Example, last_answer_only
from worker.finetune.writers import Writer

Metrics = dict[str, float | None]


@dataclass(frozen=True)
class HeldOut:
    """The held-out rows in one template: what perplexity scores, what answers are generated from, and references."""

    examples: list[Example]
    questions: list[Any]  # arrays of token ids
    references: list[str]

    @property
    def tokens(self) -> int:
        return sum(len(example.answer_ids) for example in self.examples)


def question_limit(max_length: int, max_new_tokens: int) -> int:
    """The longest prompt, in tokens: what an answer needs is kept free, and never more than half. The same for every
    row, whatever its reference."""
    return max(max_length - max_new_tokens, max_length // 2)


def held_out(encoded: Sequence[Encoded], rows: Sequence[Row], *, max_length: int, max_new_tokens: int) -> HeldOut:
    limit = question_limit(max_length, max_new_tokens)
    return HeldOut(
        [last_answer_only(item.fit(max_length)) for item in encoded],
        [item.question(limit) for item in encoded],
        [row.reference for row in rows],
    )


@dataclass(frozen=True)
class RowResult:
    """One held-out row under one model; `bleu` is its part in the corpus score (scoring.bleu_rows).

    `ended` is whether the answer came to its own end; None: measured before that was noted.
    """

    row: int
    answer: str
    nll: float | None  # None: not a finite number
    tokens: int
    rouge_l: float
    bleu: list[int]
    ended: bool | None = None


@dataclass(frozen=True)
class Measurement:
    metrics: Metrics
    rows: list[RowResult]

    @property
    def series(self) -> Metrics:
        """The metrics under the names of their series."""
        return {BY_SHORT[short].name: value for short, value in self.metrics.items()}

    def to_json(self) -> dict[str, Any]:
        return {"metrics": self.metrics, "rows": [asdict(row) for row in self.rows]}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Measurement":
        return cls(value["metrics"], [RowResult(**row) for row in value["rows"]])


def finite(value: float) -> float | None:
    """JSON knows no NaN and no infinity: what cannot be told is null."""
    return value if math.isfinite(value) else None


def perplexity(loss: float) -> float:
    return math.exp(loss) if loss < 700 else math.inf


def measure(
    model: Any,
    writer: Writer,
    rows: HeldOut,
    decoding: Decoding,
    tokenizer: Any,
    reporter: Reporter,
    paths: Paths = PLAIN,
) -> Measurement:
    """`writer`, the same model in a faster form, generates the answers, and is scored where that is exact."""
    from worker.finetune import scoring  # its libraries take seconds to import

    scored = writer.model if writer.exact else model
    found = likelihood(
        scored, rows.examples, pad_id=decoding.pad_id, dtype=decoding.dtype, reporter=reporter, paths=paths
    )
    expected = [len(example.answer_ids) for example in rows.examples]
    written = generate(writer, rows.questions, decoding, tokenizer, reporter, expected=expected)
    answers = [answer.text for answer in written]
    metrics: Metrics = {
        "perplexity": finite(perplexity(found.loss)),
        "bleu": scoring.bleu(answers, rows.references),
        "rouge_l": scoring.rouge_l(answers, rows.references),
        "loss": finite(found.loss),
    }
    parts = zip(
        (example.row for example in rows.examples),
        answers,
        map(finite, found.nll),
        found.tokens,
        scoring.rouge_l_rows(answers, rows.references),
        scoring.bleu_rows(answers, rows.references),
        (answer.ended for answer in written),
        strict=True,
    )
    return Measurement(metrics, [RowResult(*part) for part in parts])
