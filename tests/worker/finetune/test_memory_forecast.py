"""The forecast of memory is arithmetic; what it is held against here is what torch itself allocates in a pass."""

from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from app.launch import memory, model_shape, passes
from app.launch.launch_facts import Linear, ModelShape
from app.run_config import RunConfig, nest, parse
from worker.finetune import attention, head, likelihood, recomputation
from worker.finetune.adapter import attach
from worker.finetune.batches import scored_tokens
from worker.finetune.device import autocast
from worker.finetune.likelihood import join, token_nll
from worker.finetune.model import load_base
from worker.finetune.paths import Paths
from worker.finetune.tokens import Example

# What the architectures need beside the widths; Gemma 2 computes its attention in no way that joins rows.
KINDS: dict[str, dict[str, Any]] = {
    "llama": {},
    "qwen2": {"head_dim": "default"},
    "qwen3": {},
    "gemma": {},
    "gemma2": {"query_pre_attn_scalar": 32},
    "phi": {"head_dim": "default", "num_key_value_heads": 4},
    "phi3": {"head_dim": "default"},
    "gpt2": {"n_inner": 448},
    "gpt_neox": {"head_dim": "default"},
}
WIDTHS = {"hidden_size": 192, "intermediate_size": 448, "num_hidden_layers": 3, "head_dim": 48}
LENGTHS = (160, 150, 120, 90)
FOUR_BITS = {"quantization.method": "nf4", "quantization.compute_dtype": "bfloat16"}


def asked(**changes: Any) -> RunConfig:
    flat = {"model.base_model": "some/model", "data.dataset": 1, "quantization.method": "none"}
    return parse(nest(flat | {name.replace("__", "."): value for name, value in changes.items()}))


def rows_of(lengths: Sequence[int]) -> list[Example]:
    """Two thirds of each are scored."""
    prompts = [length // 3 for length in lengths]
    return [
        Example(0, array("i", [5] * length), bytes(prompt) + b"\1" * (length - prompt), prompt)
        for length, prompt in zip(lengths, prompts, strict=True)
    ]


def taken(folder: Path, config: RunConfig, rows: list[Example], *, recompute: bool = False) -> tuple[int, int]:
    """Bytes at the peak of a forward and backward pass beyond what was there before, and what is forecast of them."""
    shape, half = model_shape.read(folder), config.quantization.compute_dtype == "bfloat16"
    dtype = torch.bfloat16 if half else torch.float32
    base = load_base(folder, config.quantization, dtype=dtype, device=torch.device("cpu"), stop_ids=(1,))
    packed, scored = attention.cannot(base.model, max(LENGTHS)) is None, config.training.logits == "scored"
    if packed:
        attention.switch(base.model)
    model = attach(base.model, config).train()
    if recompute:
        recomputation.switch_on(model)
    paths = Paths(packed, scored, head.chunk_size(model) if scored else None)
    batch = join(rows, 0, paths)

    def step() -> None:
        with autocast(model.device, dtype):
            nll, _ = token_nll(model, batch, paths)
        nll.sum().backward()
        model.zero_grad(set_to_none=True)

    assert shape is not None
    largest = memory.Pass(batch.input_ids.numel(), scored_tokens(rows), max(map(len, rows)))
    said = memory.training(config, shape, largest, on_gpu=False, recompute=recompute)
    assert said is not None
    return peak_of(step), said.activations + said.logits


def peak_of(step: Callable[[], None]) -> int:
    step()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        step()
    events: list[Any] = [e for e in profiled.profiler.kineto_results.events() if e.name() == "[memory]"]  # type: ignore[union-attr]
    live = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        live += event.nbytes()
        peak = max(peak, live)
    return peak


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_pass_takes_is_as_forecast_in_every_architecture(kind: str, make_model: Callable[..., Path]) -> None:
    folder = make_model(kind, **WIDTHS | {"num_key_value_heads": 4} | KINDS[kind])
    came, said = taken(folder, asked(lora__lora_dropout=0.1), rows_of(LENGTHS))
    assert said == pytest.approx(came, rel=0.1)


@pytest.mark.parametrize(
    "changes",
    [
        {"lora__lora_dropout": 0.0},
        {"lora__fused": False},
        {"lora__r": 128},
        {"training__logits": "all"},
        {name.replace(".", "__"): value for name, value in FOUR_BITS.items()},
    ],
    ids=str,
)
def test_what_a_pass_takes_is_as_forecast_with_every_setting(
    changes: dict[str, Any], make_model: Callable[..., Path]
) -> None:
    folder = make_model(**WIDTHS | {"num_key_value_heads": 4, "vocab_size": 4096})
    came, said = taken(folder, asked(**changes), rows_of(LENGTHS))
    assert said == pytest.approx(came, rel=0.1)


@pytest.mark.parametrize("kind", ["llama", "phi", "gpt_neox"])
def test_activations_that_are_computed_again_take_what_was_forecast(kind: str, make_model: Callable[..., Path]) -> None:
    folder = make_model(kind, **WIDTHS | {"num_key_value_heads": 4} | KINDS[kind])
    came, said = taken(folder, asked(), rows_of(LENGTHS), recompute=True)
    assert said == pytest.approx(came, rel=0.1)


def test_as_many_logits_are_there_at_once_as_the_forecast_believes() -> None:
    assert {"cpu": memory.AT_ONCE[False], "cuda": memory.AT_ONCE[True]} == head.AT_ONCE


def test_logits_take_no_more_than_is_there_at_once(make_model: Callable[..., Path], monkeypatch: Any) -> None:
    monkeypatch.setitem(memory.AT_ONCE, False, 2**20)
    monkeypatch.setitem(head.AT_ONCE, "cpu", 2**20)
    folder = make_model(**WIDTHS | {"num_key_value_heads": 4, "vocab_size": 16_384})
    came, said = taken(folder, asked(), rows_of(LENGTHS))
    assert said == pytest.approx(came, rel=0.1)


def test_what_an_evaluation_on_the_way_takes_is_as_forecast(make_model: Callable[..., Path]) -> None:
    folder = make_model(**WIDTHS | {"num_key_value_heads": 4, "vocab_size": 8192})
    base = load_base(folder, asked().quantization, dtype=torch.float32, device=torch.device("cpu"), stop_ids=(1,))
    attention.switch(base.model)
    model, rows = attach(base.model, asked()).eval(), rows_of(LENGTHS)
    paths = Paths(packed=True, scored=True, chunk=head.chunk_size(model))
    batch, shape = join(rows, 0, paths), model_shape.read(folder)
    assert shape is not None
    tokens = memory.Pass(batch.input_ids.numel(), scored_tokens(rows), max(map(len, rows)))
    said = memory.scoring(asked().training, shape, tokens, half=False, on_gpu=False)

    @torch.no_grad()
    def score() -> None:
        token_nll(model, batch, paths)

    # What a layer takes and what the logits take are there one after the other; the forecast takes both.
    assert max(said) * 0.9 < peak_of(score) < sum(said) * 1.1


def test_as_much_is_scored_at_once_as_the_forecast_believes(make_model: Callable[..., Path]) -> None:
    folder = make_model()
    base = load_base(folder, asked().quantization, dtype=torch.float32, device=torch.device("cpu"), stop_ids=(1,))
    paths = Paths(packed=True, scored=True, chunk=head.chunk_size(base.model))
    assert likelihood._tokens_at_once(base.model, paths) == passes.EVALUATED[False]


def test_the_base_and_its_scales_take_what_their_bits_say() -> None:
    linears = (Linear("q_proj", 256, 256, 0), Linear("up_proj", 256, 704, 0)) * 4
    linear = sum(part.inputs * part.outputs for part in linears)
    known = ModelShape(linear + 2048 * 256, 0, linears)
    nf4 = asked(quantization__method="nf4")
    assert memory.weights(asked().quantization, known, on_gpu=True) == 2 * known.parameters
    rest = 4 * (known.parameters - linear)
    assert memory.weights(nf4.quantization, known, on_gpu=True) - rest == pytest.approx(linear * 4.127 / 8, rel=1e-3)
