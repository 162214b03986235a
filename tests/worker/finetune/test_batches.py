"""Which rows make a step, and how the rows of a batch are joined without one changing another."""

from array import array
from pathlib import Path
from typing import Any

import torch

from app.config_sections import QuantizationConfig
from worker.finetune.batches import IGNORED, pack, pad, scored_tokens
from worker.finetune.likelihood import token_nll
from worker.finetune.model import load_base
from worker.finetune.plan import epoch_batches, make_plan
from worker.finetune.tokens import Example

EOS = 1


def example(length: int, prompt: int = 3, start: int = 2) -> Example:
    ids = array("i", [0, *range(start, start + length - 2), EOS])
    return Example(0, ids, bytes(prompt) + b"\1" * (length - prompt), prompt)


def model(path: Path) -> Any:
    config = QuantizationConfig(method="none")
    return load_base(path, config, dtype=torch.float32, device=torch.device("cpu"), stop_ids=(EOS,)).model


def test_every_row_comes_once_an_epoch_and_lengths_stand_together() -> None:
    lengths = tuple((i * 37) % 100 + 5 for i in range(203))
    batches = epoch_batches(lengths, 4, seed=42, epoch=0)
    assert sorted(i for batch in batches for i in batch) == list(range(203))
    padded = sum(max(lengths[i] for i in batch) * len(batch) for batch in batches)
    assert sum(lengths) / padded > 0.9


def test_in_random_order_every_row_comes_once_too_and_lengths_do_not_stand_together() -> None:
    lengths = tuple((i * 37) % 100 + 5 for i in range(203))
    batches = epoch_batches(lengths, 4, seed=42, epoch=0, grouped=False)
    assert sorted(i for batch in batches for i in batch) == list(range(203))
    padded = sum(max(lengths[i] for i in batch) * len(batch) for batch in batches)
    assert sum(lengths) / padded < 0.75


def test_order_depends_on_seed_and_epoch_alone() -> None:
    lengths = tuple(range(5, 65))
    first = epoch_batches(lengths, 4, seed=42, epoch=0)
    epoch_batches.cache_clear()
    assert epoch_batches(lengths, 4, seed=42, epoch=0) == first
    assert epoch_batches(lengths, 4, seed=42, epoch=1) != first
    assert epoch_batches(lengths, 4, seed=43, epoch=0) != first


def test_a_plan_counts_steps_as_transformers_does(make_config: Any) -> None:
    plan = make_plan([10] * 41, make_config(training__num_train_epochs=2.5).training)
    assert (plan.steps_per_epoch, plan.total_steps) == (6, 15)  # 11 batches of 4, 2 a step
    assert make_plan([10] * 41, make_config(training__max_steps=7).training).total_steps == 7
    assert len(plan.step(5)) == 1
    seen = [i for step in range(6) for batch in plan.step(step) for i in batch]
    assert sorted(seen) == list(range(41))
    assert plan.step(6) != plan.step(0)


def test_eos_counts_though_it_also_pads() -> None:
    batch = pad([example(9), example(5)], pad_id=EOS)
    assert batch.labels[:, -1].tolist() == [EOS, IGNORED]
    assert batch.labels[1, 4] == EOS
    assert batch.input_ids[1, 5:].tolist() == [EOS] * 4
    assert batch.attention_mask is not None
    assert batch.attention_mask.sum(dim=1).tolist() == [9, 5]
    assert scored_tokens([example(9), example(5)]) == int((batch.labels[:, 1:] != IGNORED).sum()) == 8


def test_packed_rows_have_the_loss_of_padded_ones(llama: Path) -> None:
    rows = [example(20), example(9, start=50), example(33, start=100)]
    net = model(llama)
    with torch.no_grad():
        padded, _ = token_nll(net, pad(rows, EOS))
        packed, _ = token_nll(net, pack(rows))
        joined = pack(rows)
        leaking, _ = token_nll(net, type(joined)(joined.input_ids, joined.labels, None))
    assert torch.allclose(padded, packed, atol=1e-5)
    assert not torch.allclose(padded, leaking, atol=1e-3)


def test_the_largest_batch_comes_first_so_that_memory_fails_early() -> None:
    lengths = tuple((i * 37) % 100 + 5 for i in range(203))
    batches = epoch_batches(lengths, 4, seed=42, epoch=0)
    sizes = [sum(lengths[i] for i in batch) for batch in batches]
    assert sizes[0] == max(sizes)


def test_a_line_counts_the_tokens_that_padded_rows_count_each_in_its_row() -> None:
    """Where every token counts but the first, which nothing predicts: not even the row before it."""
    rows = [example(5, prompt=0), example(3, prompt=1, start=40), example(9, prompt=0, start=80)]
    padded, line = pad(rows, EOS).scored(), pack(rows).scored()
    assert line.ids.tolist() == padded.ids.tolist()
    assert line.rows.tolist() == padded.rows.tolist() == [0] * 4 + [1] * 2 + [2] * 8
    assert len(line.ids) == scored_tokens(rows)
