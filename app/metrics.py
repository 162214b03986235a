"""The metric catalogue: the one place that says what a number is called, measured in, and which way is better."""

from dataclasses import dataclass
from typing import Literal

Direction = Literal["lower", "higher"]


@dataclass(frozen=True)
class Metric:
    """One series or result.

    `name` is used by series, filters and sort; `short` is the field in results and reports.
    `direction` is None where neither way is better in itself (learning rate, memory: a cost is a trade).
    """

    name: str
    short: str
    label: str
    unit: str
    direction: Direction | None
    decimals: int
    help: str


CATALOGUE: tuple[Metric, ...] = (
    Metric(
        "eval/perplexity",
        "perplexity",
        "Perplexity",
        "",
        "lower",
        1,
        "exp of the mean negative log-likelihood of all response tokens of the held-out rows, "
        "end-of-sequence included; prompt and padding never count",
    ),
    Metric(
        "eval/bleu",
        "bleu",
        "BLEU",
        "",
        "higher",
        2,
        "corpus BLEU, 0 to 1, tokenizer 13a, as sacrebleu computes it, greedy decoding",
    ),
    Metric(
        "eval/rouge_l",
        "rouge_l",
        "ROUGE-L",
        "",
        "higher",
        2,
        "mean over rows of the ROUGE-L F-measure, 0 to 1, as rouge_score computes it without stemming",
    ),
    Metric(
        "eval/loss",
        "loss",
        "Held-out loss",
        "nats/token",
        "lower",
        3,
        "mean negative log-likelihood of the response tokens of the held-out rows: the logarithm of the perplexity",
    ),
    Metric(
        "validation/loss",
        "validation_loss",
        "Validation loss",
        "nats/token",
        "lower",
        3,
        "mean negative log-likelihood of the response tokens of the validation rows, which choose a checkpoint",
    ),
    Metric(
        "train/loss",
        "train_loss",
        "Training loss",
        "nats/token",
        "lower",
        3,
        "mean negative log-likelihood of the response tokens of one optimizer step",
    ),
    Metric(
        "train/learning_rate",
        "learning_rate",
        "Learning rate",
        "",
        None,
        6,
        "the learning rate of the step, as the schedule set it",
    ),
    Metric(
        "train/grad_norm",
        "grad_norm",
        "Gradient norm",
        "",
        None,
        2,
        "L2 norm of all adapter gradients before clipping",
    ),
    Metric(
        "train/tokens_per_second",
        "tokens_per_second",
        "Speed",
        "tokens/s",
        None,
        0,
        "prompt and response tokens trained on per second of training; padding does not count",
    ),
    Metric(
        "system/memory",
        "memory",
        "Memory",
        "bytes",
        None,
        0,
        "memory in use, four samples a second: the CUDA allocator's on a GPU, the process's resident set (RSS) on CPU",
    ),
)

BY_NAME: dict[str, Metric] = {metric.name: metric for metric in CATALOGUE}
BY_SHORT: dict[str, Metric] = {metric.short: metric for metric in CATALOGUE}

# The three that a base model and its fine-tuned form are compared by, in the order of every table.
COMPARED: tuple[Metric, ...] = CATALOGUE[:3]

# Part of every fingerprint: raise it when a definition above changes, so that old and new are never ranked together.
DEFINITIONS_VERSION = 1


def is_better(metric: Metric, value: float, than: float) -> bool:
    """Whether `value` beats `than` in the metric's direction; never for a metric without one."""
    if metric.direction is None:
        return False
    return value < than if metric.direction == "lower" else value > than


def relative_change(base: float | None, tuned: float | None) -> float | None:
    """(tuned - base) / base, the `improvement` of the API; None where it cannot be computed."""
    if base is None or tuned is None or base == 0:
        return None
    return (tuned - base) / base
