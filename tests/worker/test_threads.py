"""One thread for each core that nobody else uses: threads that share a core only wait for each other."""

import time
from collections.abc import Callable

import pytest

from worker import threads


class Machine:
    """Four cores, and what the clocks say."""

    def __init__(self) -> None:
        self.now, self.spent, self.percent = 100.0, 5.0, 0.0

    def rest(self, seconds: float) -> None:
        self.now += seconds

    def cpu_percent(self) -> float:
        return self.percent


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads.psutil, "cpu_count", lambda logical: 4)
    monkeypatch.setattr(threads.psutil, "cpu_percent", machine.cpu_percent)
    monkeypatch.setattr(threads.os, "cpu_count", lambda: 4)
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: set(range(4)))
    monkeypatch.setattr(threads, "_quota", lambda: 1_000_000)
    clocks = {"monotonic": lambda: machine.now, "process_time": lambda: machine.spent, "sleep": machine.rest}
    for name, clock in clocks.items():
        monkeypatch.setattr(time, name, clock)
    return machine


@pytest.mark.parametrize(("busy", "expected"), [(0, 4), (10, 4), (50, 2), (80, 1), (100, 1)])
def test_cores_that_others_leave_are_used(machine: Machine, busy: float, expected: int) -> None:
    count = threads.watch()
    machine.percent = busy
    assert count() == expected


def test_what_this_process_did_meanwhile_counts_for_nobody_else(machine: Machine) -> None:
    count = threads.watch()
    machine.now, machine.spent, machine.percent = 110.0, 15.0, 50.0  # two cores busy, one of them with our own work
    assert count() == 3


@pytest.mark.parametrize(("passed", "waited"), [(0.05, 0.1), (3.0, 0.0)])
def test_a_look_that_was_long_enough_takes_no_time(machine: Machine, passed: float, waited: float) -> None:
    count = threads.watch()
    machine.now += passed
    before = machine.now
    count()
    assert machine.now - before == pytest.approx(waited)


def test_a_containers_share_and_a_given_number_win(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    count: Callable[[], int] = threads.watch()
    monkeypatch.setattr(threads, "_quota", lambda: 2)
    assert count() == 2
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert count() == 3
