"""When activations are recomputed: asked for, or on a GPU whose memory would not do."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from app.run_config import TrainingConfig
from worker.finetune import recomputation

# TinyLlama's shape.
CONFIG = SimpleNamespace(hidden_size=2048, intermediate_size=5632, num_hidden_layers=22, vocab_size=32_000)


def wanted(choice: Any, device: str, free: float, monkeypatch: pytest.MonkeyPatch, longest: int = 512) -> bool:
    monkeypatch.setattr(recomputation, "free_bytes", lambda _: int(free))
    model = SimpleNamespace(device=torch.device(device), config=CONFIG)
    return recomputation.wanted(TrainingConfig(gradient_checkpointing=choice), model, longest)


def test_auto_pays_only_where_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not wanted("auto", "cuda", 40e9, monkeypatch)
    assert wanted("auto", "cuda", 6e9, monkeypatch)
    assert wanted("auto", "cuda", 40e9, monkeypatch, longest=16_384)
    assert not wanted("auto", "cpu", 1e6, monkeypatch)


def test_a_choice_is_a_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wanted(True, "cpu", 1e12, monkeypatch) is True
    assert wanted(False, "cuda", 1, monkeypatch) is False
