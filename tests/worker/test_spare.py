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
from typing import Any, NoReturn

import psutil
import pytest

from app.models import Attempt, Run
from app.settings import Settings
from tests.worker._spares import FAKE_SPARE, is_gone, make_ready, pids, wait_for
from worker import spare
from worker.child import Child
from worker.context import Context
from worker.spare import Spares
from worker.tasks import work

RunOf = Callable[[int], Run]
AttemptsOf = Callable[[int], list[Attempt]]
Launch = Callable[..., int]

pytestmark = pytest.mark.usefixtures("fake_spare")


@pytest.fixture
def waiting(fake_spare: None, spares: Spares, tmp_path: Path) -> psutil.Process:
    """The spare of the context, ready for a run."""
    return make_ready(spares, tmp_path)


@pytest.fixture
def only_forked(waiting: psutil.Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """No process can be started in any other way."""

    def refused(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("a process was started that has nothing loaded")

    monkeypatch.setattr(Child, "start", refused)


@pytest.mark.usefixtures("only_forked")
def test_runs_begin_in_processes_of_their_own_forked_from_the_one_that_waits(
    waiting: psutil.Process, context: Context, launch: Launch, run_of: RunOf, settings: Settings
) -> None:
    first, second = launch(steps=3), launch(steps=3)
    work(context)
    assert [run_of(run_id).status for run_id in (first, second)] == ["completed", "completed"]
    [one], [other] = pids(settings, first), pids(settings, second)
    assert len({one, other, waiting.pid}) == 3
    assert not is_gone(waiting)
    assert not psutil.pid_exists(one), "its end was waited for"


@pytest.mark.usefixtures("only_forked")
def test_the_process_of_a_run_is_the_workers_child_in_a_session_of_its_own_and_ends_with_it(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "fake.json").write_text(json.dumps({"steps": 10_000}))
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom worker import spare\n"
        f"spare.COMMAND = ({str(FAKE_SPARE)!r},)\n"
        "folder = Path(sys.argv[1])\n"
        "one = spare.Spare(folder / 'spare.log', gpu=False)\n"
        "while not one.is_ready(): time.sleep(0.02)\n"
        "child = one.begin(['config.json', '--output-dir', str(folder)], folder / 'output.log')\n"
        "one.close()\n"
        "print(child.process.pid, flush=True)\ntime.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as worker:
        assert worker.stdout
        process = psutil.Process(int(worker.stdout.readline()))
        try:
            wait_for((tmp_path / "pids.log").exists)
            assert process.ppid() == worker.pid
            assert (os.getsid(process.pid), os.getpgid(process.pid)) == (process.pid, process.pid)
            assert not is_gone(process), "it needs the one that it was forked from no more"
        finally:
            worker.kill()
        wait_for(lambda: is_gone(process), 10)


def test_what_it_prints_from_then_on_is_the_runs(spares: Spares, waiting: psutil.Process, tmp_path: Path) -> None:
    child = spares.begin(["--help"], tmp_path / "output.log", threading.Event())
    assert child
    child.process.wait()
    child.close()
    assert "--output-dir" in (tmp_path / "output.log").read_text()
    assert (tmp_path / "spare.log").read_text() == ""


def test_the_one_that_waits_is_the_first_to_go_and_a_run_is_not(
    waiting: psutil.Process, context: Context, launch: Launch, settings: Settings
) -> None:
    run_id = launch(evaluate_seconds=0.5)
    thread = threading.Thread(target=work, args=(context,))
    thread.start()
    wait_for((settings.run_dir(run_id) / "pids.log").exists)
    [pid] = pids(settings, run_id)
    scores = [Path(f"/proc/{number}/oom_score_adj").read_text() for number in (waiting.pid, pid)]
    thread.join()
    assert scores == ["1000\n", Path("/proc/self/oom_score_adj").read_text()]


@pytest.mark.parametrize("harm", [signal.SIGKILL, signal.SIGTERM])
def test_one_that_is_dead_is_not_asked_and_the_run_begins_as_if_there_were_none(
    harm: signal.Signals,
    waiting: psutil.Process,
    context: Context,
    launch: Launch,
    run_of: RunOf,
    attempts_of: AttemptsOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waiting.send_signal(harm)
    wait_for(lambda: is_gone(waiting))
    monkeypatch.setattr(spare.Spare, "begin", None)
    run_id = launch()
    work(context)
    assert (run_of(run_id).status, len(attempts_of(run_id))) == ("completed", 1)


def kill_before(waiting: psutil.Process) -> None:
    waiting.kill()
    wait_for(lambda: is_gone(waiting))


def suspend_before(waiting: psutil.Process) -> None:
    waiting.suspend()


@pytest.mark.parametrize("harm", [kill_before, suspend_before])
def test_one_that_cannot_begin_a_run_leaves_it_to_another(
    harm: Callable[[psutil.Process], None],
    waiting: psutil.Process,
    context: Context,
    launch: Launch,
    run_of: RunOf,
    attempts_of: AttemptsOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spare, "LONGEST_FORK_SECONDS", 0.3)
    begin = spare.Spare.begin

    def begin_from_the_harmed(self: spare.Spare, *arguments: Any) -> Child:
        harm(waiting)
        return begin(self, *arguments)

    monkeypatch.setattr(spare.Spare, "begin", begin_from_the_harmed)
    run_id = launch()
    work(context)
    assert (run_of(run_id).status, len(attempts_of(run_id))) == ("completed", 1)
    assert is_gone(waiting)


def test_a_process_that_was_forked_too_late_does_nothing(
    waiting: psutil.Process, spares: Spares, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fake.json").write_text(json.dumps({"steps": 1}))
    monkeypatch.setattr(spare, "LONGEST_FORK_SECONDS", 0.1)
    monkeypatch.setattr(spare.Spare, "close", lambda _: waiting.resume())  # its order is still to be read
    waiting.suspend()
    ended = spares._spare
    assert (
        spares.begin(["config.json", "--output-dir", str(tmp_path)], tmp_path / "output.log", threading.Event()) is None
    )
    monkeypatch.undo()
    assert ended
    ended._orders.settimeout(None)
    late = spare.Spare.begin(ended, ["--help"], tmp_path / "help.log")  # forked after the other, which then has ended
    late.process.wait()
    late.close()
    ended.close()
    assert not (tmp_path / "pids.log").exists()


def test_one_of_older_code_gets_no_run(
    waiting: psutil.Process,
    context: Context,
    launch: Launch,
    run_of: RunOf,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spare, "code_on_disk", frozenset)
    monkeypatch.setattr(spare.Spare, "begin", None)
    run_id = launch()
    work(context)
    assert run_of(run_id).status == "completed"
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
    spares.begin([], tmp_path / "output.log", threading.Event())
    spares.want()
    free.available = spare.BYTES_TO_START - 1
    spares.look(tmp_path / "spare.log", gpu=False)
    assert spares._spare is None
    free.available += 2
    spares.look(tmp_path / "spare.log", gpu=False)
    assert spares._spare, "it is still wanted once there is memory"


@pytest.mark.usefixtures("only_forked")
def test_a_run_that_is_stopped_in_it_ends_as_ever(
    context: Context, launch: Launch, run_of: RunOf, settings: Settings
) -> None:
    run_id = launch(steps=10_000)
    thread = threading.Thread(target=work, args=(context,))
    thread.start()
    wait_for((settings.run_dir(run_id) / "pids.log").exists)
    context.stopping.set()
    thread.join(15)
    assert run_of(run_id).status == "queued"
    [pid] = pids(settings, run_id)
    assert not psutil.pid_exists(pid)


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
