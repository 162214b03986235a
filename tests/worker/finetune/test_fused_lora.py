"""The fused layer against peft's own: outputs, losses and gradients, with and without dropout."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from worker.finetune import dropout, fused_lora
from worker.finetune.adapter import adapter_state, attach, restore_adapter
from worker.finetune.batches import Batch, pad
from worker.finetune.device import autocast
from worker.finetune.likelihood import token_nll
from worker.finetune.model import load_base
from worker.finetune.preparing import prepare
from worker.finetune.reporter import Silent

CPU = torch.device("cpu")
Sides = Callable[..., tuple[Any, Any, Batch]]


@pytest.fixture
def sides(rows: Path, make_config: Any) -> Sides:
    """The same model twice, peft's and fused, with an adapter that is no longer at its start; and a batch."""

    def make(path: Path, dtype: torch.dtype = torch.float32, **overrides: Any) -> tuple[Any, Any, Batch]:
        config = make_config(**{"lora__lora_dropout": 0.0} | overrides)
        job = prepare(config, model_path=path, rows_path=rows, dataset_sha256=None, reporter=Silent())
        models = []
        for fused in (False, True):
            base = load_base(path, config.quantization, dtype=dtype, device=CPU, stop_ids=(1,))
            chosen = config.model_copy(update={"lora": config.lora.model_copy(update={"fused": fused})})
            models.append(attach(base.model, chosen).train())
        torch.manual_seed(1)
        moved = {name: torch.randn_like(tensor) * 0.05 for name, tensor in adapter_state(models[0]).items()}
        for model in models:
            restore_adapter(model, moved)
        return models[0], models[1], pad(job.train[:4], 1)

    return make


def learn(model: Any, batch: Batch, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The losses of tokens and the gradients, after the draws of one seed."""
    model.zero_grad()
    torch.manual_seed(5)
    with autocast(CPU, dtype):
        nll, _ = token_nll(model, batch)
    nll.sum().backward()
    return nll.detach(), {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def assert_equal(plain: Any, fused: Any, batch: Batch, dtype: torch.dtype = torch.float32, rel: float = 1e-5) -> None:
    expected, gradients = learn(plain, batch, dtype)
    losses, found = learn(fused, batch, dtype)
    assert torch.allclose(losses, expected, rtol=rel, atol=rel)
    assert found.keys() == gradients.keys()
    for name, gradient in gradients.items():
        assert (found[name] - gradient).norm() <= rel * gradient.norm(), name


KINDS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("llama", {}, {}),
    ("llama", {}, {"quantization__method": "none"}),
    ("llama", {}, {"quantization__method": "int8"}),
    ("llama", {}, {"lora__use_rslora": True, "lora__r": 16}),
    ("llama", {}, {"lora__target_modules": ["q_proj", "down_proj"]}),
    ("llama", {"attention_bias": True}, {"lora__bias": "lora_only"}),
    ("llama", {"attention_bias": True}, {"training__gradient_checkpointing": True}),
    ("gemma", {}, {}),
    ("phi3", {"head_dim": "default"}, {}),
    ("gpt2", {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 256}, {"quantization__method": "none"}),
    ("gpt_neox", {"head_dim": "default"}, {}),
]


@pytest.mark.parametrize(("kind", "shape", "settings"), KINDS, ids=str)
def test_losses_and_gradients_are_those_of_peft(
    kind: str, shape: dict[str, Any], settings: dict[str, Any], make_model: Any, sides: Sides
) -> None:
    plain, fused, batch = sides(make_model(kind, **shape), **settings)
    if settings.get("training__gradient_checkpointing"):
        for model in (plain, fused):
            model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    assert fused_lora.paths(plain) == {"adapter": "as peft computes it"}
    assert fused_lora.paths(fused) == {"adapter": "fused"}
    assert_equal(plain, fused, batch)


class SamePlaces(nn.Module):
    """What peft's dropout would be, had it drawn our places."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.p = share

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return dropout.drop(x, dropout.places(x.numel(), self.p)) / (1 - self.p) if self.training else x


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("method", ["nf4", "int8"])
def test_with_dropout_too_where_the_same_places_are_dropped(
    method: str, recompute: bool, llama: Path, sides: Sides
) -> None:
    plain, fused, batch = sides(llama, lora__lora_dropout=0.2, quantization__method=method)
    assert fused_lora.paths(fused) == {"adapter": "fused", "dropout": "places drawn"}
    for layer in plain.modules():
        if hasattr(layer, "lora_dropout"):
            layer.lora_dropout["default"] = SamePlaces(0.2).train()
    if recompute:
        for model in (plain, fused):
            model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    assert_equal(plain, fused, batch)
    assert not torch.equal(learn(fused, batch)[0], learn(fused.eval(), batch)[0])


def test_in_16_bits_it_differs_by_rounding_alone(llama: Path, sides: Sides) -> None:
    plain, fused, batch = sides(llama, dtype=torch.bfloat16, quantization__compute_dtype="bfloat16")
    assert_equal(plain, fused, batch, torch.bfloat16, rel=2e-2)


def test_in_evaluation_nothing_is_dropped_and_the_outputs_are_those_of_peft(llama: Path, sides: Sides) -> None:
    plain, fused, batch = sides(llama, lora__lora_dropout=0.5)
    plain.eval(), fused.eval()
    with torch.no_grad():
        assert torch.allclose(fused(**batch.inputs()).logits, plain(**batch.inputs()).logits, atol=1e-5)


def test_dora_stays_with_peft(llama: Path, sides: Sides) -> None:
    plain, fused, batch = sides(llama, lora__use_dora=True)
    assert fused_lora.paths(fused) == {"adapter": "as peft computes it"}
    assert_equal(plain, fused, batch, rel=0)


def test_peft_can_still_disable_copy_merge_and_unload_it(llama: Path, sides: Sides) -> None:
    plain, fused, batch = sides(llama, quantization__method="none")
    inputs = batch.inputs()
    with torch.no_grad():
        with fused.disable_adapter(), plain.disable_adapter():
            assert torch.equal(fused(**inputs).logits, plain(**inputs).logits)
        expected = fused(**inputs).logits
        assert torch.equal(copy.deepcopy(fused)(**inputs).logits, expected)
        merged = copy.deepcopy(fused).merge_and_unload()
        assert torch.allclose(merged(**inputs).logits, expected, atol=1e-5)
    assert not [m for m in copy.deepcopy(fused).unload().modules() if hasattr(m, "lora_A")]
