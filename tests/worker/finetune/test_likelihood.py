"""Perplexity is a sum over tokens: no batch, order or padding changes it, and the usual mistakes give other numbers."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from app.data.rows import read_rows
from app.launch.passes import EVALUATED
from worker.finetune import likelihood as module
from worker.finetune import packing
from worker.finetune.batches import IGNORED, pad
from worker.finetune.likelihood import likelihood
from worker.finetune.model import Base, load_base
from worker.finetune.paths import PLAIN, Paths
from worker.finetune.reporter import Silent
from worker.finetune.tokenizer import load_tokenizer
from worker.finetune.tokens import Example, encode
from worker.finetune.turns import make_template


@pytest.fixture(scope="module")
def base(llama: Path, make_config: Any) -> Base:
    cpu = torch.device("cpu")
    return load_base(llama, make_config().quantization, dtype=torch.float32, device=cpu, stop_ids=(1,))


@pytest.fixture(scope="module")
def examples(llama: Path, rows: Path) -> list[Example]:
    tokenizer = load_tokenizer(llama)
    numbered = list(enumerate(read_rows(rows)))
    template = make_template("plain", tokenizer, (1,))
    return [item.fit(96) for item in encode(numbered, template, tokenizer, Silent())]


def score(
    base: Base, examples: list[Example], at_once: int, monkeypatch: pytest.MonkeyPatch, paths: Paths = PLAIN
) -> Any:
    monkeypatch.setattr(module, "_tokens_at_once", lambda *_: at_once)
    return likelihood(base.model, examples, pad_id=1, dtype=torch.float32, reporter=Silent(), paths=paths)


@torch.no_grad()
def one_by_one(base: Base, example: Example) -> float:
    """transformers' own loss of one row, times its tokens."""
    batch = pad([example], 1)
    loss = base.model(**batch.inputs(), labels=batch.labels).loss
    return float(loss) * int((batch.labels[:, 1:] != IGNORED).sum())


def test_the_loss_equals_that_of_transformers_row_by_row(
    base: Base, examples: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = score(base, examples, 2000, monkeypatch)
    expected = [one_by_one(base, example) for example in examples]
    assert found.nll == pytest.approx(expected, rel=1e-5)
    assert found.tokens == [len(example.answer_ids) for example in examples]


def test_the_value_depends_on_neither_batch_size_nor_order(
    base: Base, examples: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {size: score(base, examples, size, monkeypatch).loss for size in (1, 300, 100_000)}
    assert values[300] == pytest.approx(values[1], rel=1e-6)
    assert values[100_000] == pytest.approx(values[1], rel=1e-6)
    assert score(base, examples[::-1], 300, monkeypatch).loss == pytest.approx(values[1], rel=1e-6)


def test_rows_in_one_line_and_logits_in_chunks_give_the_same_value_row_by_row(
    llama: Path, examples: list[Example], make_config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, cpu = make_config(), torch.device("cpu")
    base = load_base(llama, config.quantization, dtype=torch.float32, device=cpu, stop_ids=(1,))
    expected = score(base, examples, 300, monkeypatch)
    chosen = packing.choose(base.model, examples, longest=96, pad_id=1, dtype=torch.float32, training=config.training)
    assert chosen.packed
    assert chosen.scored
    for size, chunk in ((1, None), (300, 100), (100_000, 64)):
        found = score(base, examples, size, monkeypatch, replace(chosen, chunk=chunk))
        assert found.tokens == expected.tokens
        assert found.nll == pytest.approx(expected.nll, rel=1e-5)
        assert math.exp(found.loss) == pytest.approx(math.exp(expected.loss), rel=1e-6)


def test_the_usual_mistakes_give_other_numbers(
    base: Base, examples: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is off by far more than rounding; with rows of equal length some of them would not show."""
    found = score(base, examples, 2000, monkeypatch)
    right = math.exp(found.loss)
    means = [nll / tokens for nll, tokens in zip(found.nll, found.tokens, strict=True)]
    batches = [means[i : i + 4] for i in range(0, len(means), 4)]
    with_prompt = [Example(e.row, e.ids, b"\0" + b"\1" * (len(e) - 1), e.answer_at) for e in examples]
    mistakes = {
        "mean of row means": math.exp(sum(means) / len(means)),
        "mean of row perplexities": sum(map(math.exp, means)) / len(means),
        "mean of batch perplexities": sum(math.exp(sum(b) / len(b)) for b in batches) / len(batches),
        "prompt included": math.exp(score(base, with_prompt, 2000, monkeypatch).loss),
    }
    for name, wrong in mistakes.items():
        assert abs(wrong - right) / right > 1e-4, name


def test_a_batch_that_does_not_fit_is_halved(
    base: Base, examples: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = score(base, examples, 400, monkeypatch)
    real, sizes = module._score, []

    def small_memory(model: Any, batch: Any, *more: Any) -> Any:
        sizes.append(batch.input_ids.shape[0])
        if sizes[-1] > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(model, batch, *more)

    monkeypatch.setattr(module, "_score", small_memory)
    found = score(base, examples, 2000, monkeypatch)
    assert sizes[0] > 4 >= sizes[-1]
    assert found.nll == pytest.approx(expected.nll, rel=1e-5)


def test_the_forecast_of_memory_knows_how_many_tokens_are_scored_at_once() -> None:
    assert {"cpu": EVALUATED[False], "cuda": EVALUATED[True]} == module.AT_ONCE
