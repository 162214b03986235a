"""The worker as a process of its own, with a real broker: signals, sudden deaths, lost messages."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby, pairwise
from pathlib import Path
from types import ModuleType

import psutil
import pytest
from redis import Redis
from sqlmodel import select

from app import broker, runs
from app.db import Database
from app.models import Attempt, MetricName, MetricPoint, Run, Worker
from app.queue import celery_app, enqueue
from app.settings import Settings
from app.status import STALLED

RunOf = Callable[[int], Run]
AttemptsOf = Callable[[int], list[Attempt]]
Launch = Callable[..., int]
StartWorker = Callable[..., subprocess.Popen[bytes]]

FAKE_WORKER = Path(__file__).with_name("fake_worker.py")
DEAF_WORKER = FAKE_WORKER.with_name("deaf_worker.py")
LEASE_SECONDS = 1.5


@pytest.fixture
def settings(settings: Settings, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("r")))
    return settings.model_copy(update={"lease_seconds": LEASE_SECONDS})


@pytest.fixture
def with_broker(settings: Settings) -> Iterator[None]:
    with broker.running(settings):
        yield


@pytest.fixture
def start_worker(settings: Settings, tmp_path: Path) -> Iterator[StartWorker]:
    started: list[subprocess.Popen[bytes]] = []
    environment = os.environ | {
        "TUNEBOARD_DATA_DIR": str(settings.data_dir),
        "TUNEBOARD_MODEL_DIRS": settings.model_dirs,
        "TUNEBOARD_LEASE_SECONDS": str(LEASE_SECONDS),
        "TUNEBOARD_RETRY_SECONDS": "0.2",
        "TUNEBOARD_SPARE": "false",
        "CUDA_VISIBLE_DEVICES": "",
    }

    def start(program: Path = FAKE_WORKER) -> subprocess.Popen[bytes]:
        with (tmp_path / f"worker-{len(started)}.log").open("wb") as output:
            command = [sys.executable, str(program)]
            started.append(subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
    for log in sorted(tmp_path.glob("worker-*.log")):
        print(log.read_text())


def wait_for(condition: Callable[[], bool], seconds: float = 40) -> float:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() < began + seconds, "it did not come to that"
        time.sleep(0.05)
    return time.monotonic() - began


def workers(database: Database) -> list[Worker]:
    with database.reading() as session:
        return list(session.exec(select(Worker)))


def pids(settings: Settings, run_id: int) -> list[int]:
    """The process that made each step, in the order of time."""
    path = settings.run_dir(run_id) / "pids.log"
    return [int(line.split()[0]) for line in path.read_text().splitlines()] if path.exists() else []


def losses(database: Database, run_id: int) -> list[float | None]:
    with database.reading() as session:
        found = (
            select(MetricPoint).join(MetricName).where(MetricName.name == "train/loss", MetricPoint.run_id == run_id)
        )
        return [point.value for point in session.exec(found.order_by(MetricPoint.step))]  # type: ignore[arg-type]


def is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.mark.usefixtures("with_broker")
def test_a_message_starts_a_run_and_torch_is_never_loaded(
    settings: Settings, database: Database, launch: Launch, run_of: RunOf, start_worker: StartWorker
) -> None:
    worker = start_worker()
    wait_for(lambda: bool(workers(database)))
    run_id = launch()
    assert enqueue(celery_app(settings.broker_url), run_id)
    wait_for(lambda: run_of(run_id).status == "completed")
    loaded = Path(f"/proc/{worker.pid}/maps").read_text()
    assert "libtorch" not in loaded
    assert "libpython" in loaded or "python" in loaded


@pytest.mark.usefixtures("with_broker")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stopped_worker_gives_its_run_back_and_is_gone(
    number: signal.Signals,
    settings: Settings,
    database: Database,
    launch: Launch,
    run_of: RunOf,
    attempts_of: AttemptsOf,
    start_worker: StartWorker,
) -> None:
    run_id = launch(steps=10_000)
    worker = start_worker()
    wait_for(lambda: run_of(run_id).step > 0)
    worker.send_signal(number)
    took = wait_for(lambda: worker.poll() is not None)
    print(f"gone after {took:.1f} s")
    assert took < 15  # promised: 5 s
    run = run_of(run_id)
    assert (run.status, run.owner) == ("queued", None)
    assert [(a.status, a.died) for a in attempts_of(run_id)] == [("queued", False)]
    assert not is_alive(pids(settings, run_id)[-1])
    assert workers(database) == []


@pytest.mark.usefixtures("with_broker")
def test_a_killed_worker_takes_its_child_with_it_and_the_next_one_continues(
    settings: Settings,
    database: Database,
    launch: Launch,
    run_of: RunOf,
    attempts_of: AttemptsOf,
    start_worker: StartWorker,
    fake: ModuleType,
) -> None:
    run_id = launch(steps=250)
    worker = start_worker()
    wait_for(lambda: run_of(run_id).step > 5)
    child = pids(settings, run_id)[-1]
    worker.kill()
    wait_for(lambda: not is_alive(child), 5)
    assert run_of(run_id).status == "running"  # nobody was left to say otherwise
    start_worker()
    wait_for(lambda: run_of(run_id).status == "completed")
    assert losses(database, run_id) == fake.losses(250)
    first, second = attempts_of(run_id)
    assert (first.died, first.reason) == (True, "The worker of this run was lost")
    assert second.first_step > 1
    turns = [pid for pid, _ in groupby(pids(settings, run_id))]
    assert max(Counter(turns).values()) == 1, "a process came back after another one had begun"


@pytest.mark.usefixtures("with_broker")
def test_even_a_child_that_does_nothing_dies_with_its_worker(
    settings: Settings, launch: Launch, run_of: RunOf, start_worker: StartWorker
) -> None:
    run_id = launch(fault="hang", at_step=4)
    worker = start_worker()
    wait_for(lambda: run_of(run_id).step == 3)
    worker.kill()
    wait_for(lambda: not is_alive(pids(settings, run_id)[-1]), 5)


@pytest.mark.usefixtures("with_broker")
def test_a_stopped_then_woken_worker_does_not_disturb_the_one_that_took_over(
    settings: Settings, database: Database, launch: Launch, run_of: RunOf, start_worker: StartWorker, fake: ModuleType
) -> None:
    run_id = launch(steps=200)
    sleeper = start_worker()
    wait_for(lambda: run_of(run_id).step > 3)
    child = pids(settings, run_id)[-1]
    sleeper.send_signal(signal.SIGSTOP)
    os.kill(child, signal.SIGKILL)  # or its lock would, rightly, keep everybody else out
    start_worker()
    wait_for(lambda: run_of(run_id).attempt == 2)
    sleeper.send_signal(signal.SIGCONT)
    wait_for(lambda: run_of(run_id).status == "completed")
    assert run_of(run_id).attempt == 2
    assert losses(database, run_id) == fake.losses(200)


@pytest.mark.usefixtures("with_broker")
def test_runs_whose_messages_were_lost_are_found(
    settings: Settings, database: Database, launch: Launch, run_of: RunOf, start_worker: StartWorker
) -> None:
    start_worker()
    wait_for(lambda: bool(workers(database)))
    ids = [launch(steps=2), launch(steps=2)]
    with Redis(unix_socket_path=str(settings.broker_socket)) as client:
        client.flushall()
    wait_for(lambda: all(run_of(i).status == "completed" for i in ids))
    assert [run_of(i).attempt for i in ids] == [1, 1]


def test_a_broker_that_comes_late_or_again_is_enough(
    settings: Settings, database: Database, launch: Launch, run_of: RunOf, start_worker: StartWorker
) -> None:
    worker = start_worker()
    first = launch(steps=2)
    wait_for(lambda: bool(workers(database)))
    assert not enqueue(celery_app(settings.broker_url), first)
    with broker.running(settings):
        wait_for(lambda: run_of(first).status == "completed")
    second = launch(steps=2)
    time.sleep(1)
    assert worker.poll() is None
    with broker.running(settings):
        wait_for(lambda: run_of(second).status == "completed")


def test_a_worker_without_a_broker_can_still_be_stopped(database: Database, start_worker: StartWorker) -> None:
    worker = start_worker()
    wait_for(lambda: bool(workers(database)))
    worker.terminate()
    wait_for(lambda: worker.poll() is not None, 15)


@pytest.mark.usefixtures("with_broker")
def test_a_worker_that_hears_nothing_of_its_own_wake_ups_ends_itself_and_says_why(
    database: Database, launch: Launch, run_of: RunOf, start_worker: StartWorker, tmp_path: Path
) -> None:
    run_id = launch()
    deaf = start_worker(DEAF_WORKER)
    wait_for(lambda: deaf.poll() is not None)
    assert deaf.returncode == 1
    assert "the queue does not move: this worker ends" in (tmp_path / "worker-0.log").read_text()
    assert workers(database) == []
    assert run_of(run_id).attempt == 0
    start_worker()
    wait_for(lambda: run_of(run_id).status == "completed")


@pytest.mark.usefixtures("with_broker")
def test_a_run_in_a_pause_is_woken_for_when_it_is_due(
    launch: Launch, run_of: RunOf, attempts_of: AttemptsOf, start_worker: StartWorker
) -> None:
    run_id = launch(fault="fail:unexpected", times=3)
    start_worker()
    wait_for(lambda: run_of(run_id).status == "completed")
    waits = [
        (after.started_at - before.finished_at).total_seconds()
        for before, after in pairwise(attempts_of(run_id))
        if before.finished_at
    ]
    print("pauses", waits)
    assert all(wait >= pause for wait, pause in zip(waits, (0.2, 0.4, 0.8), strict=True))


@pytest.mark.usefixtures("with_broker")
def test_a_cancel_of_a_run_whose_worker_stands_still_is_carried_out_by_another(
    settings: Settings, database: Database, launch: Launch, run_of: RunOf, start_worker: StartWorker
) -> None:
    run_id = launch(steps=10_000)
    sleeper = start_worker()
    wait_for(lambda: run_of(run_id).step > 3)
    child = pids(settings, run_id)[-1]
    sleeper.send_signal(signal.SIGSTOP)
    start_worker()
    wait_for(lambda: run_of(run_id).stage == STALLED)
    assert (run_of(run_id).status, is_alive(child)) == ("running", True)
    with database.writing() as session:
        runs.cancel_run(session, run_id)
    wait_for(lambda: run_of(run_id).status == "cancelled")
    assert not is_alive(child)
    sleeper.send_signal(signal.SIGCONT)
    other = launch(steps=2)
    wait_for(lambda: run_of(other).status == "completed")
    assert run_of(run_id).status == "cancelled"
