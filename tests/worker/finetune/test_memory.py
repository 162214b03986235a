"""Memory of a phase: its own peak, not that of what came before, and a mean of samples."""

import time

import pytest
import torch

from app.metrics import BY_NAME
from worker.finetune import memory
from worker.finetune.memory import measured

CPU = torch.device("cpu")
BIG = 200_000_000


def allocate(size: int) -> torch.Tensor:
    return torch.ones(size, dtype=torch.uint8)


def test_the_peak_is_that_of_the_phase() -> None:
    held = allocate(2 * BIG)
    before = memory.used_bytes(CPU)
    del held
    with measured(CPU) as quiet:
        time.sleep(0.05)
    with measured(CPU) as busy:
        held = allocate(BIG)
        del held
    assert quiet.kind == "rss"
    assert quiet.peak < before - BIG
    assert busy.peak > quiet.peak + 0.8 * BIG  # seen by the kernel, though shorter than the interval of samples


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "INTERVAL", 0.05)


@pytest.mark.usefixtures("often")
def test_the_mean_follows_what_was_held_most_of_the_time() -> None:
    with measured(CPU) as use:
        time.sleep(0.5)
        held = allocate(BIG)
        time.sleep(0.1)
        del held
    assert use.samples >= 4
    assert use.mean is not None
    assert use.mean < use.peak - BIG / 2


def test_samples_are_taken_as_often_as_the_metric_says() -> None:
    assert "four samples a second" in BY_NAME["system/memory"].help
    assert memory.INTERVAL == 1 / 4


@pytest.mark.usefixtures("often")
def test_the_latest_sample_is_at_hand() -> None:
    with measured(CPU) as use:
        before = use.latest
        held = allocate(BIG)
        time.sleep(0.5)
        assert use.latest > before + 0.8 * BIG
        del held


def test_an_earlier_attempt_counts_too() -> None:
    use = memory.MemoryUse("rss", peak=10, total=40, samples=4)
    later = memory.MemoryUse("rss", peak=5, total=60, samples=6)
    later.restore(use.state())
    assert (later.peak, later.mean) == (10, 10)


def test_without_a_sample_there_is_no_mean() -> None:
    assert memory.MemoryUse("rss").mean is None
