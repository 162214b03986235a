"""Products by oneDNN are those of torch to rounding, and torch's own wherever a gradient or a 16-bit type is asked."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import linear

from worker.finetune import products
from worker.finetune.likelihood import likelihood
from worker.finetune.preparing import prepare
from worker.finetune.reporter import Silent
from worker.finetune.writers import base_writer


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, ...]]]:
    """Shapes of what oneDNN was given, as on a processor where it is the quicker one."""
    shapes: list[tuple[int, ...]] = []
    real = products._by_onednn
    monkeypatch.setattr(products, "is_quicker", lambda: True)
    monkeypatch.setattr(products, "_by_onednn", lambda x, *more: (shapes.append(tuple(x.shape)), real(x, *more))[1])
    return shapes


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("shape", [(40, 96), (3, 20, 96), (1, 500, 96)])
@torch.no_grad()
def test_a_product_is_right_to_rounding(shape: Any, biased: bool, asked: list[Any]) -> None:
    draw = torch.Generator().manual_seed(1)
    x, weight = torch.randn(shape, generator=draw), torch.randn(80, 96, generator=draw)
    bias = torch.randn(80, generator=draw) if biased else None
    expected = linear(x.double(), weight.double(), None if bias is None else bias.double())
    for same in (weight, weight.T.contiguous().T):
        found = products.linear(x, same, bias)
        assert found.shape == expected.shape
        assert float((found - expected).abs().max() / expected.abs().max()) < 1e-6
    strided = products.linear(x.transpose(0, -2), weight, bias)
    assert torch.equal(strided, products.linear(x.transpose(0, -2).contiguous(), weight, bias))
    assert len(asked) == 4


def test_gradients_thin_weights_few_lines_and_other_types_are_left_to_torch(asked: list[Any]) -> None:
    x, weight = torch.randn(40, 96), torch.randn(80, 96)
    given = x.clone().requires_grad_()
    products.linear(given, weight).sum().backward()
    assert torch.allclose(given.grad, weight.sum(0).expand(40, 96), rtol=1e-4, atol=1e-4)  # type: ignore[arg-type]
    with torch.no_grad():
        products.linear(x, weight[:8])
        products.linear(x[:3], weight)
        assert products.linear(x.bfloat16(), weight.bfloat16()).dtype == torch.bfloat16
        with torch.autocast("cpu", torch.bfloat16):
            assert products.linear(x, weight).dtype == torch.bfloat16
    assert not asked


def test_only_a_cpus_plain_layers_of_32_bits_are_changed(asked: list[Any]) -> None:
    model = nn.Sequential(nn.Linear(96, 80), nn.Linear(80, 96).bfloat16(), nn.Linear(96, 80, device="meta"))
    assert [type(layer) for layer in products.quickened(model)] == [products.Linear, nn.Linear, nn.Linear]
    assert products.are_quick(model)


def test_the_copy_that_answers_takes_them_and_its_losses_stay(
    llama: Path, rows: Path, make_config: Any, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = prepare(make_config(), model_path=llama, rows_path=rows, dataset_sha256=None, reporter=Silent())

    def perplexity() -> float:
        writer = base_writer(job.base.model, torch.float32)
        assert writer.exact
        assert ("by oneDNN" in writer.path) == products.is_quicker()
        examples, pad = job.held_out.examples, job.decoding.pad_id
        return math.exp(
            likelihood(writer.model, examples, pad_id=pad, dtype=torch.float32, reporter=Silent(), paths=job.paths).loss
        )

    quick = perplexity()
    assert asked
    monkeypatch.setattr(products, "is_quicker", lambda: False)
    asked.clear()
    assert quick == pytest.approx(perplexity(), rel=1e-6)
    assert not asked
