"""The process that waits for the next run: a run that begins in it is like any other, and none depends on it."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from app.models import Attempt, Run
from app.settings import Settings
from tests.worker._spares import FAKE_SPARE, is_gone, make_ready, pids, wait_for
from worker import spare
from worker.context import Context
from worker.spare import Spares
from worker.tasks import work

RunOf = Callable[[int], Run]
AttemptsOf = Callable[[int], list[Attempt]]
Launch = Callable[..., int]

pytestmark = pytest.mark.usefixtures("fake_spare")


@pytest.fixture
def waiting(spares: Spares, tmp_path: Path) -> psutil.Process:
    """The spare of the context, ready for a run."""
    return make_ready(spares, tmp_path)


def test_a_run_begins_in_the_process_that_waits(
    waiting: psutil.Process, context: Context, launch: Launch, run_of: RunOf, settings: Settings
) -> None:
    run_id = launch(steps=3)
    work(context)
    assert run_of(run_id).status == "completed"
    assert pids(settings, run_id) == {waiting.pid}
    assert is_gone(waiting)


def test_what_it_prints_from_then_on_is_the_runs(tmp_path: Path) -> None:
    one = spare.Spare(tmp_path / "spare.log", gpu=False)
    wait_for(one.is_ready)
    one.give(["--help"], tmp_path / "output.log")
    one.child.process.wait()
    one.close()
    assert "--output-dir" in (tmp_path / "output.log").read_text()
    assert (tmp_path / "spare.log").read_text() == ""


def test_while_it_waits_it_is_the_first_to_go_and_with_a_run_no_more(
    waiting: psutil.Process, context: Context, launch: Launch, settings: Settings
) -> None:
    score = Path(f"/proc/{waiting.pid}/oom_score_adj")
    assert score.read_text() == "1000\n"
    run_id = launch(evaluate_seconds=0.5)
    thread = threading.Thread(target=work, args=(context,))
    thread.start()
    wait_for((settings.run_dir(run_id) / "pids.log").exists)
    with_run = score.read_text()
    thread.join()
    assert with_run == Path("/proc/self/oom_score_adj").read_text()


@pytest.mark.parametrize("harm", [signal.SIGKILL, signal.SIGTERM])
def test_one_that_is_dead_is_not_asked_and_the_run_begins_as_if_there_were_none(
    harm: signal.Signals,
    waiting: psutil.Process,
    context: Context,
    launch: Launch,
    run_of: RunOf,
    attempts_of: AttemptsOf,
    settings: Settings,
) -> None:
    waiting.send_signal(harm)
    wait_for(lambda: is_gone(waiting))
    run_id = launch()
    work(context)
    assert (run_of(run_id).status, len(attempts_of(run_id))) == ("completed", 1)
    assert waiting.pid not in pids(settings, run_id)


def test_one_that_dies_with_the_run_just_given_to_it_is_a_death_like_any_other(
    waiting: psutil.Process,
    context: Context,
    launch: Launch,
    run_of: RunOf,
    attempts_of: AttemptsOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    give = spare.Spare.give

    def give_to_the_dying(self: spare.Spare, *arguments: Any) -> None:
        waiting.suspend()  # it never reads what it is given
        give(self, *arguments)
        waiting.kill()

    monkeypatch.setattr(spare.Spare, "give", give_to_the_dying)
    run_id = launch()
    while run_of(run_id).status != "completed":
        work(context)
    assert [attempt.cause for attempt in attempts_of(run_id)] == ["killed", None]


def test_one_that_cannot_be_given_a_run_leaves_it_to_another(
    waiting: psutil.Process,
    context: Context,
    launch: Launch,
    run_of: RunOf,
    attempts_of: AttemptsOf,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    give = spare.Spare.give

    def give_to_the_dead(self: spare.Spare, *arguments: Any) -> None:
        waiting.kill()
        wait_for(lambda: is_gone(waiting))
        give(self, *arguments)

    monkeypatch.setattr(spare.Spare, "give", give_to_the_dead)
    run_id = launch()
    work(context)
    assert (run_of(run_id).status, len(attempts_of(run_id))) == ("completed", 1)
    assert waiting.pid not in pids(settings, run_id)


def test_one_of_older_code_gets_no_run(
    waiting: psutil.Process,
    context: Context,
    launch: Launch,
    run_of: RunOf,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spare, "code_on_disk", frozenset)
    run_id = launch()
    work(context)
    assert run_of(run_id).status == "completed"
    assert waiting.pid not in pids(settings, run_id)
    assert is_gone(waiting)


def test_code_that_was_edited_and_packages_that_came_are_other_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, packages = tmp_path / "worker" / "part" / "module.py", tmp_path / "packages"
    module.parent.mkdir(parents=True)
    packages.mkdir()
    module.write_text("")
    monkeypatch.setattr(spare, "ROOT", tmp_path)
    monkeypatch.setattr(spare, "sysconfig", SimpleNamespace(get_path=lambda _: packages))
    seen = {spare.code_on_disk()}
    assert spare.code_on_disk() in seen
    for change in (lambda: os.utime(module, (1, 1)), (packages / "new").mkdir, module.unlink):
        os.utime(packages, (2, 2))
        seen.add(spare.code_on_disk())
        change()
        assert spare.code_on_disk() not in seen


def test_it_goes_where_memory_is_short_and_is_not_started_there(
    waiting: psutil.Process, spares: Spares, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = SimpleNamespace(available=spare.BYTES_TO_STAY - 1)
    monkeypatch.setattr(spare.psutil, "virtual_memory", lambda: free)
    spares.look(tmp_path / "spare.log", gpu=False)
    assert is_gone(waiting)
    spares.take([], tmp_path / "output.log", threading.Event())
    spares.want()
    free.available = spare.BYTES_TO_START - 1
    spares.look(tmp_path / "spare.log", gpu=False)
    assert spares._spare is None
    free.available += 2
    spares.look(tmp_path / "spare.log", gpu=False)
    assert spares._spare, "it is still wanted once there is memory"


def test_a_run_that_is_stopped_or_cancelled_in_it_ends_as_ever(
    waiting: psutil.Process, context: Context, launch: Launch, run_of: RunOf, settings: Settings
) -> None:
    run_id = launch(steps=10_000)
    thread = threading.Thread(target=work, args=(context,))
    thread.start()
    wait_for((settings.run_dir(run_id) / "pids.log").exists)
    context.stopping.set()
    thread.join(15)
    assert run_of(run_id).status == "queued"
    assert is_gone(waiting)


def test_the_thread_that_keeps_it_outlives_the_run_that_it_was_given(tmp_path: Path) -> None:
    spares, ended = Spares(), []
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "fake.json").write_text(json.dumps({"steps": 25}))

    def keep() -> None:
        with spare.kept(spares, tmp_path / "spare.log", gpu=False):
            wait_for(lambda: spares._spare and spares._spare.is_ready())
            run = ["config.json", "--output-dir", str(tmp_path)]
            ended.append(spares.take(run, tmp_path / "output.log", threading.Event()))

    thread = threading.Thread(target=keep)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    [child] = ended
    assert child.exit_code == 0  # and not the kernel's SIGKILL
    child.close()


@pytest.mark.parametrize("end", ["the worker", "its input"])
def test_it_ends_with_its_worker_and_with_its_input(end: str, tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom worker import spare\n"
        f"spare.COMMAND = ({str(FAKE_SPARE)!r},)\n"
        "one = spare.Spare(Path(sys.argv[1]), gpu=False)\n"
        "while not one.is_ready(): time.sleep(0.02)\n"
        "print(one.child.process.pid, flush=True)\n"
        "sys.stdin.read()\none._orders.close()\ntime.sleep(600)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "spare.log")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.stdin
        assert worker.stdout
        process = psutil.Process(int(worker.stdout.readline()))
        if end == "the worker":
            worker.kill()
        else:
            worker.stdin.close()
        try:
            wait_for(lambda: is_gone(process), 10)
        finally:
            worker.kill()
