"""When the process that waits is started, and how long a run waits for one that still loads."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.models import Attempt, Run
from app.settings import Settings
from tests.worker._spares import at_work, forked_pids, pids, suspended, wait_for
from worker import spare
from worker.context import Context
from worker.spare import Spares
from worker.tasks import work

RunOf = Callable[[int], Run]
AttemptsOf = Callable[[int], list[Attempt]]
Launch = Callable[..., int]

pytestmark = pytest.mark.usefixtures("fake_spare")


def test_a_run_waits_for_one_that_is_still_loading(
    context: Context,
    spares: Spares,
    launch: Launch,
    run_of: RunOf,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forked = forked_pids(monkeypatch)
    spares.look(tmp_path / "spare.log", gpu=False)
    assert spares._spare
    assert not spares._spare.is_ready()
    run_id = launch()
    work(context)
    assert (run_of(run_id).status, pids(settings, run_id)) == ("completed", forked)


def test_a_run_that_waits_begins_without_one_that_dies_meanwhile(
    context: Context,
    spares: Spares,
    launch: Launch,
    run_of: RunOf,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spare, "LONGEST_WAIT_SECONDS", 600.0)
    process, forked = suspended(spares, tmp_path), forked_pids(monkeypatch)
    run_id = launch(steps=1)
    with at_work(context):
        wait_for(lambda: run_of(run_id).status == "running")
        process.kill()
    assert run_of(run_id).status == "completed"
    assert not forked


def test_a_run_that_waits_goes_back_at_once_where_the_worker_stops(
    context: Context, spares: Spares, launch: Launch, run_of: RunOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spare, "LONGEST_WAIT_SECONDS", 600.0)
    suspended(spares, tmp_path)
    run_id = launch(steps=10_000)
    with at_work(context):
        wait_for(lambda: run_of(run_id).status == "running")
        context.stopping.set()
    assert run_of(run_id).status == "queued"


def test_one_that_is_not_ready_in_time_stays_for_the_next_run(
    context: Context,
    spares: Spares,
    launch: Launch,
    run_of: RunOf,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spare, "LONGEST_WAIT_SECONDS", 0.2)
    process, forked = suspended(spares, tmp_path), forked_pids(monkeypatch)
    first, second = launch(), launch(steps=1)
    thread = threading.Thread(target=work, args=(context,))
    thread.start()
    try:
        wait_for(lambda: (settings.run_dir(first) / "pids.log").exists(), 10)
    finally:
        process.resume()
        thread.join()
    assert spares._spare
    wait_for(spares._spare.is_ready)
    third = launch(steps=1)
    work(context)
    assert all(run_of(run_id).status == "completed" for run_id in (first, second, third))
    assert not pids(settings, first) & forked
    assert pids(settings, third) <= forked


def test_the_next_one_is_started_once_a_run_has_made_a_step(
    context: Context, spares: Spares, launch: Launch, settings: Settings, tmp_path: Path
) -> None:
    def looked() -> spare.Spare | None:
        spares.look(tmp_path / "spare.log", gpu=False)
        return spares._spare

    run_id = launch(prepare_seconds=0.5, step_seconds=0.2, steps=4)
    thread = threading.Thread(target=work, args=(context,))
    thread.start()
    wait_for((settings.run_dir(run_id) / "alive.log").exists)
    before = looked()
    wait_for((settings.run_dir(run_id) / "pids.log").exists)
    wait_for(looked)
    assert thread.is_alive()
    thread.join()
    assert before is None


def test_after_one_that_ended_by_itself_none_is_started_before_the_next_run(
    context: Context, spares: Spares, launch: Launch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spare, "COMMAND", ("-c", "raise SystemExit(1)"))
    spares.look(tmp_path / "spare.log", gpu=False)
    assert spares._spare
    spares._spare.child.process.wait()
    for _ in range(3):
        spares.look(tmp_path / "spare.log", gpu=False)
        assert spares._spare is None
    launch(steps=1)
    work(context)
    spares.look(tmp_path / "spare.log", gpu=False)
    assert spares._spare


def test_the_one_for_the_next_run_is_started_the_moment_that_it_is_wanted(
    context: Context, launch: Launch, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spare, "LOOK_SECONDS", 600.0)
    with spare.kept(context.spares, tmp_path / "spare.log", gpu=False):
        launch(steps=1)
        work(context)
        wait_for(lambda: context.spares._spare)


def test_for_one_run_only_one_is_started_however_many_steps_it_makes(
    context: Context, spares: Spares, launch: Launch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spare, "COMMAND", ("-c", "raise SystemExit(1)"))
    started: list[spare.Spare] = []
    launch(steps=60)
    thread = threading.Thread(target=work, args=(context,))
    thread.start()
    while thread.is_alive():
        spares.look(tmp_path / "spare.log", gpu=False)
        if spares._spare and spares._spare not in started:
            started.append(spares._spare)
        time.sleep(0.02)
    assert len(started) <= 2, "one that was wanted before, and that of the run"
