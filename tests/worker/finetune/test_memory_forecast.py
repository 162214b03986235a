"""The forecast of memory is arithmetic; what it is held against here is what torch itself allocates in a step."""

from typing import Any

import pytest
import torch
from torch.profiler import ProfilerActivity, profile
from transformers import LlamaConfig, LlamaForCausalLM

from app.launch import memory
from app.launch.launch_facts import Decoder, Linear, ModelShape
from app.run_config import RunConfig, parse
from worker.finetune import recomputation
from worker.finetune.adapter import attach
from worker.finetune.batches import Batch
from worker.finetune.device import autocast
from worker.finetune.likelihood import token_nll

ROWS, LENGTH = 4, 160


def llama(hidden: int, inner: int, layers: int, vocabulary: int) -> tuple[Any, ModelShape]:
    config = LlamaConfig(
        hidden_size=hidden,
        intermediate_size=inner,
        num_hidden_layers=layers,
        vocab_size=vocabulary,
        num_attention_heads=4,
        num_key_value_heads=4,
        use_cache=False,
    )
    model = LlamaForCausalLM(config)
    sizes = {"q_proj": (hidden, hidden), "k_proj": (hidden, hidden), "v_proj": (hidden, hidden)}
    sizes |= {"o_proj": (hidden, hidden), "gate_proj": (hidden, inner), "up_proj": (hidden, inner)}
    sizes["down_proj"] = (inner, hidden)
    linears = tuple(Linear(name, *size, 0) for name, size in sizes.items()) * layers
    return model, ModelShape(model.num_parameters(), 0, linears, Decoder(layers, hidden, inner, hidden, vocabulary))


def asked(compute_dtype: str) -> RunConfig:
    return parse(
        {
            "model": {"base_model": "some/model"},
            "data": {"dataset": 1},
            "quantization": {"method": "none", "compute_dtype": compute_dtype},
            "training": {"per_device_train_batch_size": ROWS},
        }
    )


def allocated(model: Any, dtype: torch.dtype) -> int:
    """Bytes at the peak of a forward and backward pass, beyond what was there before it."""
    ids = torch.randint(0, model.config.vocab_size, (ROWS, LENGTH))
    labels = ids.clone()
    labels[:, : LENGTH // 2] = -100
    batch = Batch(ids, labels, torch.ones_like(ids))

    def step() -> None:
        with autocast(model.device, dtype):
            nll, _ = token_nll(model, batch)
        nll.sum().backward()
        model.zero_grad(set_to_none=True)

    step()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        step()
    events: list[Any] = [e for e in profiled.profiler.kineto_results.events() if e.name() == "[memory]"]  # type: ignore[union-attr]
    live = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        live += event.nbytes()
        peak = max(peak, live)
    return peak


@pytest.mark.parametrize("recompute", [False, True], ids=["kept", "recomputed"])
@pytest.mark.parametrize("shape", [(256, 704, 4, 2048), (192, 512, 2, 16_000)], ids=["deep", "many words"])
def test_what_waits_for_the_backward_pass_is_as_forecast(shape: tuple[int, int, int, int], recompute: bool) -> None:
    base, known = llama(*shape)
    config = asked("float32")
    model = attach(base, config).train()
    if recompute:
        recomputation.switch_on(model)
        model.enable_input_require_grads()
    forecast = memory.training(config, known, longest=LENGTH, on_gpu=False, recompute=recompute)
    assert forecast is not None
    measured = allocated(model, torch.float32)
    assert forecast.activations + forecast.logits == pytest.approx(measured, rel=0.2)


def test_the_base_and_its_scales_take_what_their_bits_say() -> None:
    _, known = llama(256, 704, 4, 2048)
    whole = parse({"model": {"base_model": "m"}, "data": {"dataset": 1}, "quantization": {"method": "none"}})
    nf4 = parse({"model": {"base_model": "m"}, "data": {"dataset": 1}})
    linear = sum(part.inputs * part.outputs for part in known.linears)
    rest = 4 * (known.parameters - linear)
    assert memory.weights(whole.quantization, known, on_gpu=True) == 2 * known.parameters
    assert memory.weights(nf4.quantization, known, on_gpu=True) - rest == pytest.approx(linear * 4.127 / 8, rel=1e-3)
