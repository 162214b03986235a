"""The process that waits for the next run: a run that begins in it is like any other, and none depends on it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from app.models import Attempt, Run
from app.settings import Settings
from worker import spare
from worker.context import Context
from worker.spare import Spares
from worker.tasks import work

RunOf = Callable[[int], Run]
AttemptsOf = Callable[[int], list[Attempt]]
Launch = Callable[..., int]

FAKE_SPARE = Path(__file__).with_name("fake_spare.py")


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spare, "COMMAND", (str(FAKE_SPARE),))


@pytest.fixture
def spares(context: Context) -> Iterator[Spares]:
    yield context.spares
    context.spares.close()


@pytest.fixture
def waiting(spares: Spares, tmp_path: Path) -> psutil.Process:
    """The spare of the context, ready for a run."""
    return make_ready(spares, tmp_path)


def make_ready(spares: Spares, folder: Path) -> psutil.Process:
    spares.look(folder / "spare.log", gpu=False)
    assert spares._spare
    wait_for(spares._spare.is_ready)
    return psutil.Process(spares._spare.child.process.pid)


def wait_for(condition: Callable[[], Any], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def pids(settings: Settings, run_id: int) -> set[int]:
    return {int(line.split()[0]) for line in (settings.run_dir(run_id) / "pids.log").read_text().splitlines()}


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


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


def test_one_that_is_not_ready_yet_stays_for_the_next_run(
    context: Context, spares: Spares, launch: Launch, run_of: RunOf, settings: Settings, tmp_path: Path
) -> None:
    spares.look(tmp_path / "spare.log", gpu=False)
    assert spares._spare
    pid = spares._spare.child.process.pid
    os.kill(pid, signal.SIGSTOP)
    first, second = launch(), launch(steps=1)
    thread = threading.Thread(target=work, args=(context,))
    thread.start()
    try:
        wait_for(lambda: (settings.run_dir(first) / "pids.log").exists(), 10)
    finally:
        os.kill(pid, signal.SIGCONT)
        thread.join()
    assert pid not in pids(settings, first)
    third = launch(steps=1)
    wait_for(lambda: spares._spare is None or spares._spare.is_ready())
    work(context)
    assert all(run_of(run_id).status == "completed" for run_id in (first, second, third))
    assert {pid} in (pids(settings, second), pids(settings, third))


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


def test_it_goes_where_memory_is_short_and_is_not_started_there(
    waiting: psutil.Process, spares: Spares, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = SimpleNamespace(available=spare.BYTES_TO_STAY - 1)
    monkeypatch.setattr(spare.psutil, "virtual_memory", lambda: free)
    spares.look(tmp_path / "spare.log", gpu=False)
    assert is_gone(waiting)
    spares.wanted, free.available = True, spare.BYTES_TO_START - 1
    spares.look(tmp_path / "spare.log", gpu=False)
    assert spares._spare is None


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
            ended.append(spares.take(["config.json", "--output-dir", str(tmp_path)], tmp_path / "output.log"))

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
