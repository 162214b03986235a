"""Several workers under one `tuneboard up`: how many, and which share of the machine each has."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from types import SimpleNamespace

import psutil
import pytest

from app import gpus, up
from app.settings import Settings
from app.terminal import demo
from tests.ops.conftest import gone, until


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A stand-in for NVML that counts two GPUs."""

    class NVMLError(Exception):
        pass

    there = SimpleNamespace(
        NVMLError=NVMLError,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda number: number,
        nvmlDeviceGetUUID=lambda handle: f"GPU-{handle}",
    )
    monkeypatch.setattr(gpus, "pynvml", there)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(up.os, "cpu_count", lambda: 8)
    return there


def without_driver(driver: SimpleNamespace) -> None:
    def absent() -> None:
        raise driver.NVMLError

    driver.nvmlInit = absent


def environments(count: int) -> list[dict[str, str]]:
    return [dict(part.environment) for part in up.worker_parts(count)]


@pytest.mark.usefixtures("driver")
def test_each_gpu_has_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [{"CUDA_VISIBLE_DEVICES": "GPU-0"}, {"CUDA_VISIBLE_DEVICES": "GPU-1"}]
    assert environments(0) == both
    assert environments(3) == [*both, both[0]], "they share the GPUs in turn"
    assert environments(1) == [{}]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-7, 3")
    assert environments(0) == [{"CUDA_VISIBLE_DEVICES": "GPU-7"}, {"CUDA_VISIBLE_DEVICES": "3"}]


@pytest.mark.parametrize("hidden", ["", "-1"])
@pytest.mark.usefixtures("driver")
def test_hidden_gpus_are_nobodys(hidden: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert gpus.visible() == []
    assert environments(0) == [{}]


def test_without_a_gpu_there_is_one_and_more_share_the_cores(
    driver: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_driver(driver)
    assert environments(0) == [{}]
    assert environments(2) == [{"OMP_NUM_THREADS": "4"}] * 2
    assert environments(20) == [{"OMP_NUM_THREADS": "1"}] * 20
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert environments(2) == [{}, {}], "a number that is given stays"


def test_they_have_names_of_their_own_beside_a_lone_one() -> None:
    assert [part.name for part in up.worker_parts(2)] == ["worker 1", "worker 2"]
    assert [part.name for part in up.worker_parts(1)] == ["worker"]


def test_two_come_up_and_one_that_dies_is_started_again_in_its_place(settings: Settings, marked: str) -> None:
    command = [sys.executable, "-m", "app.cli", "up", "--workers", "2"]
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    running = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    until(lambda: len(names(settings)) == 2, 60)
    before = workers(running.pid)
    killed, stays = before
    share = str(max(1, (os.cpu_count() or 1) // 2))
    assert [process.environ()["OMP_NUM_THREADS"] for process in before] == [share, share]
    killed.kill()
    until(lambda: killed not in (now := workers(running.pid)) and len(now) == 2, 60)
    assert stays in workers(running.pid)
    running.terminate()
    assert running.wait(20) == 0
    assert gone(marked, 2)


def workers(parent: int) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(parent).children():
        with suppress(psutil.Error):  # dead, and not yet buried
            if "worker.app" in child.cmdline():
                found.append(child)
    return found


def names(settings: Settings) -> list[str]:
    """Of the workers alive, as /readyz tells them."""
    answer = up.ask(settings, "/readyz")[1]
    state: str = json.loads(answer)["parts"]["worker"]["state"] if answer else ""
    return [name for name in state.removeprefix("alive: ").split(", ") if "@" in name]


@pytest.mark.parametrize(("cores", "gigabytes", "expected"), [(2, 24, 2), (8, 24, 4), (8, 8, 2), (1, 24, 1), (8, 2, 1)])
def test_the_demo_trains_side_by_side_where_cores_and_memory_allow_it(
    cores: int, gigabytes: int, expected: int, driver: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_driver(driver)
    monkeypatch.setattr(demo.os, "cpu_count", lambda: cores)
    monkeypatch.setattr(demo.os, "sysconf", lambda name: 4096 if "SIZE" in name else gigabytes * 10**9 // 4096 + 1)
    assert demo.workers() == expected


@pytest.mark.usefixtures("driver")
def test_the_demo_has_a_worker_for_each_gpu() -> None:
    assert demo.workers() == 2
