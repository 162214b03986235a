"""Watching runs: until all have ended, in bars or in lines."""

import io
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from rich.console import Console

from app.terminal import watch

Json = dict[str, Any]


def run(run_id: int, status: str, stage: str | None = None, fraction: float = 0.0, eta: float | None = None) -> Json:
    progress = {"step": int(fraction * 10), "total_steps": 10, "fraction": fraction, "eta_seconds": eta}
    return {"id": run_id, "name": f"run {run_id}", "status": status, "stage": stage, "progress": progress}


STORY = [
    [run(1, "queued"), run(2, "queued")],
    [run(1, "running", "training", 0.5, 30.0), run(2, "queued")],
    [run(1, "running", "training", 0.7, 20.0), run(2, "queued")],
    [run(1, "completed", None, 1.0), run(2, "running", "preparing")],
    [run(1, "completed", None, 1.0), run(2, "failed", None, 0.3)],
]


@pytest.fixture
def fetch(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Sequence[Json]]:
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.0)
    story = iter(STORY)
    return lambda: next(story)


def test_elsewhere_than_in_a_terminal_each_change_is_a_line(fetch: Callable[[], Sequence[Json]]) -> None:
    out = io.StringIO()
    ended = watch.watch(fetch, Console(file=out, width=100))
    assert [r["status"] for r in ended] == ["completed", "failed"]
    assert out.getvalue().splitlines() == [
        "run 1: queued",
        "run 2: queued",
        "run 1: running: training, 5/10, 30 s left",
        "run 1: completed",
        "run 2: running: preparing, 0/10",
        "run 2: failed",
    ]


def test_a_terminal_gets_a_bar_for_each_run(fetch: Callable[[], Sequence[Json]]) -> None:
    out = io.StringIO()
    ended = watch.watch(fetch, Console(file=out, force_terminal=True, width=100, color_system=None))
    assert [r["status"] for r in ended] == ["completed", "failed"]
    last = out.getvalue().split("\x1b[2K")[-1]
    assert "run 2" in last
    assert "failed" in last
