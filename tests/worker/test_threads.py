"""One thread for each idle core: threads that share a core only wait for each other."""

import pytest

from worker import threads


@pytest.fixture(autouse=True)
def _four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads.psutil, "cpu_count", lambda logical: 4)
    monkeypatch.setattr(threads.os, "cpu_count", lambda: 4)
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: set(range(4)))
    monkeypatch.setattr(threads, "_quota", lambda: 1_000_000)


@pytest.mark.parametrize(("busy", "expected"), [(0, 4), (10, 4), (50, 2), (80, 1), (100, 1)])
def test_idle_cores_are_used(busy: float, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads.psutil, "cpu_percent", lambda interval: busy)
    assert threads.choose() == expected


def test_a_containers_share_and_a_given_number_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads.psutil, "cpu_percent", lambda interval: 0)
    monkeypatch.setattr(threads, "_quota", lambda: 2)
    assert threads.choose() == 2
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads.choose() == 3
