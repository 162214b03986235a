"""Quantised layers against a reference, and the two silent faults of bitsandbytes on CPU."""

from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bitsandbytes as bnb
import pytest
import torch

from app.config_sections import QuantizationConfig
from worker.finetune import quantization
from worker.finetune.adapter import attach
from worker.finetune.batches import pad
from worker.finetune.likelihood import likelihood, token_nll
from worker.finetune.model import Base, load_base
from worker.finetune.pipeline import finetune
from worker.finetune.quantization import dequantise, quantised_layers, reference_weight, wrong_layers
from worker.finetune.reporter import Silent
from worker.finetune.tokens import Example

CPU = torch.device("cpu")
METHODS = ("nf4", "fp4", "int8", "none")


def load(path: Path, method: str = "nf4", double: bool = True) -> Base:
    config = QuantizationConfig.model_validate({"method": method, "double_quant": double})
    return load_base(path, config, dtype=torch.float32, device=CPU, stop_ids=(1,))


@pytest.mark.parametrize(("method", "double"), [("nf4", True), ("nf4", False), ("fp4", True), ("int8", True)])
def test_dequantised_weights_equal_the_reference_near_the_original(llama: Path, method: str, double: bool) -> None:
    whole = dict(load(llama, "none").model.named_modules())
    layers = list(quantised_layers(load(llama, method, double).model))
    assert len(layers) == 14  # seven in each of two blocks; the output layer stays whole
    for name, layer in layers:
        reference = reference_weight(layer)
        assert torch.allclose(dequantise(layer).float(), reference, rtol=1e-5, atol=1e-7), name
        error = (reference - whole[name].weight).norm() / whole[name].weight.norm()
        assert error < {"nf4": 0.11, "fp4": 0.16, "int8": 0.01}[method], name


def test_one_wrong_block_in_one_layer_is_found(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load(llama).model
    assert wrong_layers(model) == []
    name, broken = list(quantised_layers(model))[3]

    def one_block_off(layer: Any) -> torch.Tensor:
        weight = reference_weight(layer)
        if layer is broken:
            weight.view(-1)[128:192] *= 1.1
        return weight

    monkeypatch.setattr(quantization, "dequantise", one_block_off)
    assert wrong_layers(model) == [name]


def test_a_layer_whose_output_is_not_its_weights_is_found(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load(llama).model
    name, broken = list(quantised_layers(model))[5]
    right = broken.forward
    monkeypatch.setattr(broken, "forward", lambda x: right(x) * 1.2)
    assert wrong_layers(model) == [name]


def shifted(layer: Any) -> torch.Tensor:
    """What the faulty kernel does to widths that are no multiple of the block size: neighbours' scales."""
    weight = reference_weight(layer)
    return weight if layer.in_features % 64 == 0 else weight * torch.linspace(0.5, 2, weight.shape[0]).unsqueeze(1)


def test_layers_that_come_back_wrong_are_kept_whole_and_named(
    make_model: Callable[..., Path],
    rows: Path,
    make_config: Any,
    recording: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = make_model(intermediate_size=96)
    monkeypatch.setattr(quantization, "dequantise", shifted)
    base = load(model)
    assert base.wrong_modules == ("model.layers.0.mlp.down_proj", "model.layers.1.mlp.down_proj")
    assert type(base.model.get_submodule(base.wrong_modules[0])) is torch.nn.Linear
    assert type(base.model.get_submodule("lm_head")) is torch.nn.Linear
    assert len(list(quantised_layers(base.model))) == 12
    reporter = recording()
    config = make_config(training__max_steps=1)
    outcome = finetune(config, model_path=model, rows_path=rows, output_dir=tmp_path, reporter=reporter)
    assert any("2 layers are kept unquantised" in text and "down_proj" in text for text in reporter.warnings)
    assert set(base.wrong_modules) < set(reporter.environments[0]["quantization"]["skipped_modules"])
    assert outcome.results["finetuned"]["perplexity"]


@pytest.mark.parametrize("width", [32, 48, 96, 160, 352])
def test_this_machine_computes_every_width_right_after_loading(make_model: Callable[..., Path], width: int) -> None:
    model = load(make_model(intermediate_size=width, num_hidden_layers=1)).model
    whole = load(make_model(intermediate_size=width, num_hidden_layers=1), "none").model
    ids = torch.arange(40).unsqueeze(0)
    with torch.no_grad():
        error = (model(ids).logits - whole(ids).logits).norm() / whole(ids).logits.norm()
    assert wrong_layers(model) == []
    assert error < 0.15


def gradients(model: Any, examples: list[Example]) -> dict[str, torch.Tensor]:
    model.train()
    nll, _ = token_nll(model, pad(examples, 1))
    nll.sum().backward()
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return found


@pytest.mark.parametrize("method", ["nf4", "int8"])
def test_gradients_after_an_evaluation_equal_those_without_one(llama: Path, make_config: Any, method: str) -> None:
    examples = [Example(0, array("i", range(2, 30)), bytes(10) + b"\1" * 18, 10)]
    model = attach(load(llama, method).model, make_config(lora__lora_dropout=0))
    before = gradients(model, examples)
    likelihood(model, examples, pad_id=1, dtype=torch.float32, reporter=Silent())
    after = gradients(model, examples)
    assert len(before) == 28
    assert any(g.norm() > 0 for name, g in before.items() if "layers.0." in name)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_no_layer_may_repack_itself(llama: Path) -> None:
    layers = [layer for _, layer in quantised_layers(load(llama).model)]
    assert all(isinstance(layer, bnb.nn.Linear4bit) and not layer.support_avx512bf16_for_cpu for layer in layers)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_every_method_trains_in_every_compute_type(
    llama: Path, rows: Path, make_config: Any, tmp_path: Path, method: str, dtype: str
) -> None:
    config = make_config(quantization__method=method, quantization__compute_dtype=dtype, training__num_train_epochs=2)
    outcome = finetune(config, model_path=llama, rows_path=rows, output_dir=tmp_path, reporter=Silent())
    assert outcome.results["improvement"]["perplexity"] < -0.05
