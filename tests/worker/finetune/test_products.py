"""Products by oneDNN are those of torch to rounding, and torch's own wherever a gradient or a 16-bit type is asked."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from bitsandbytes.nn import Linear4bit
from torch import nn
from torch.nn.functional import linear

from worker.finetune import fused_lora, products
from worker.finetune.likelihood import likelihood
from worker.finetune.pipeline import finetune
from worker.finetune.preparing import prepare
from worker.finetune.reporter import Silent
from worker.finetune.writers import base_writer


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Shapes of what oneDNN was given, as on a processor where it is the quicker one."""
    shapes: list[tuple[int, ...]] = []
    real = products._by_onednn

    def told(x: torch.Tensor, *more: Any) -> torch.Tensor:
        shapes.append(tuple(x.shape))
        return real(x, *more)

    monkeypatch.setattr(products, "is_quicker", lambda: True)
    monkeypatch.setattr(products, "_by_onednn", told)
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


def test_a_gradient_goes_through_a_weight_that_is_not_trained(asked: list[Any]) -> None:
    x, weight, bias = torch.randn(2, 20, 96), torch.randn(80, 96), torch.randn(80)
    toward = torch.randn(2, 20, 80)
    given, expected = (x.clone().requires_grad_() for _ in range(2))
    (products.linear(given, weight, bias) * toward).sum().backward()  # type: ignore[no-untyped-call]
    (linear(expected, weight, bias) * toward).sum().backward()  # type: ignore[no-untyped-call]
    assert torch.allclose(given.grad, expected.grad, rtol=1e-5, atol=1e-4)  # type: ignore[arg-type]
    assert asked == [(2, 20, 96), (2, 20, 80)]


@pytest.mark.parametrize("lines", [40, 3])
def test_a_product_is_added_to_what_is_there(lines: int) -> None:
    to, x, weight = torch.randn(lines, 80), torch.randn(lines, 96), torch.randn(96, 80)
    expected = to.double() + x.double() @ weight.double()
    assert float((products.added(to, x, weight) - expected).abs().max() / expected.abs().max()) < 1e-6


def test_trained_and_thin_weights_few_lines_and_other_types_are_left_to_torch(asked: list[Any]) -> None:
    x, weight, bias = torch.randn(40, 96), torch.randn(80, 96), torch.randn(80)
    for trained in (weight.clone(), bias.clone()):
        trained.requires_grad_()
        pair = (trained, bias) if trained.dim() == 2 else (weight, trained)
        products.linear(x, *pair).sum().backward()  # type: ignore[no-untyped-call]
        assert trained.grad is not None
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


@torch.no_grad()
def test_a_4_bit_layer_gives_what_bitsandbytes_makes_of_it(asked: list[Any]) -> None:
    layer = Linear4bit(96, 80, bias=True, compute_dtype=torch.float32, quant_type="nf4").to("cpu").train()
    x = torch.randn(2, 20, 96)
    assert torch.allclose(fused_lora.of_base(x, layer), layer(x), rtol=1e-5, atol=1e-5)
    assert asked == [(2, 20, 96)]


def test_a_training_takes_them_and_its_losses_and_gradients_stay(
    llama: Path, rows: Path, make_config: Any, asked: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(products, "THIN", 8)  # this model's layers are

    def trained(name: str, **settings: Any) -> tuple[str, list[float]]:
        config = make_config(training__max_steps=4, **settings)
        finetune(config, model_path=llama, rows_path=rows, output_dir=tmp_path / name, reporter=Silent())
        used = json.loads((tmp_path / name / "artifacts/environment.json").read_text())
        points = [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        seen = [p["value"] for p in points if p["name"] in ("train/loss", "train/grad_norm")]
        return used["paths"]["adapter"], seen

    said, quick = trained("quick")
    assert said == "fused; products by oneDNN"
    assert asked
    monkeypatch.setattr(products, "is_quicker", lambda: False)
    asked.clear()
    said, plain = trained("plain")
    assert said == "fused"
    assert not asked
    assert quick == pytest.approx(plain, rel=1e-5)


def test_a_training_as_peft_computes_it_takes_none(
    llama: Path, rows: Path, make_config: Any, asked: list[Any], tmp_path: Path
) -> None:
    config = make_config(training__max_steps=1, lora__fused=False, evaluation__generation="plain")
    finetune(config, model_path=llama, rows_path=rows, output_dir=tmp_path, reporter=Silent())
    assert not asked
