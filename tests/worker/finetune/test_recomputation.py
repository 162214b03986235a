"""When activations are recomputed: asked for, or on a GPU whose memory would not do."""

from array import array
from typing import Any

import pytest
import torch

from app.launch.launch_facts import Decoder, Linear, ModelShape
from app.run_config import parse
from worker.finetune import recomputation
from worker.finetune.tokens import Example

SIZES = {"q_proj": (2048, 2048), "k_proj": (2048, 256), "v_proj": (2048, 256), "o_proj": (2048, 2048)}
SIZES |= {"gate_proj": (2048, 5632), "up_proj": (2048, 5632), "down_proj": (5632, 2048)}
LINEARS = tuple(Linear(name, *size, 0) for name, size in SIZES.items()) * 22
TINY_LLAMA = ModelShape(1_100_048_384, 0, LINEARS, Decoder(22, 2048, 5632, 256, 32_000))


def wanted(
    choice: Any,
    device: str,
    free: float,
    monkeypatch: pytest.MonkeyPatch,
    longest: int = 512,
    shape: ModelShape | None = TINY_LLAMA,
) -> bool:
    monkeypatch.setattr(recomputation, "free_bytes", lambda _: int(free))
    training = {"gradient_checkpointing": choice}
    config = parse({"model": {"base_model": "m"}, "data": {"dataset": 1}, "training": training})
    rows = [Example(0, array("i", [5] * longest), bytes([1] * longest), 0)] * 50
    return recomputation.wanted(config, shape, torch.device(device), rows)


def test_auto_pays_only_where_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not wanted("auto", "cuda", 40e9, monkeypatch)
    assert wanted("auto", "cuda", 6e9, monkeypatch)
    assert wanted("auto", "cuda", 40e9, monkeypatch, longest=16_384)
    assert not wanted("auto", "cpu", 1e6, monkeypatch)


def test_what_cannot_be_reckoned_is_not_trusted_to_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wanted("auto", "cuda", 40e9, monkeypatch, shape=None)


def test_a_choice_is_a_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wanted(True, "cpu", 1e12, monkeypatch) is True
    assert wanted(False, "cuda", 1, monkeypatch) is False
