"""The supervisor with stand-in parts, as a real process: order, restarts, what it prints, and that nothing survives."""

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app import supervisor
from app.supervisor import FIRST_DELAY, LONGEST_DELAY, Part, Supervisor
from tests.ops.conftest import HEARS_AND_WAITS, gone, survivors, until

SUPERVISED = [sys.executable, str(Path(__file__).parent / "supervised.py")]
SLEEPS = "sleep 600"
STUBBORN = """sh -c 'trap "" TERM; echo deaf; while :; do sleep 600; done'"""


class Running:
    """A supervisor's process and what it has printed."""

    def __init__(self, log: Path, *words: str) -> None:
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen([*SUPERVISED, *words], stdout=out, stderr=subprocess.STDOUT)

    def text(self) -> str:
        return self.log.read_text()

    def says(self, words: str) -> Callable[[], bool]:
        return lambda: words in self.text()

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(*words: str) -> Running:
        started.append(Running(tmp_path / f"log{len(started)}", *words))
        return started[-1]

    yield start
    for running in started:
        running.process.kill()
        running.process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name)
def test_a_signal_stops_every_part(supervise: Callable[..., Running], marked: str, number: int) -> None:
    running = supervise(f"one={SLEEPS}", f"two={SLEEPS}")
    until(lambda: len(survivors(marked)) == 3)
    assert running.end(number) == 0
    assert gone(marked, 0)


@pytest.mark.parametrize("first", [(), HEARS_AND_WAITS], ids=["first in it", "started by make"])
def test_a_closed_terminal_stops_every_part(marked: str, first: tuple[str, ...]) -> None:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*first, *SUPERVISED, f"one={SLEEPS}", "two=sh -c 'while :; do echo busy; sleep 0.05; done'"],
        preexec_fn=lambda: os.login_tty(slave),
        pass_fds=[slave],
    )
    os.close(slave)
    until(lambda: b"busy" in os.read(master, 65_536))
    os.close(master)
    assert process.wait(20) == 0
    assert gone(marked, 0)


def test_under_nohup_the_terminal_may_close(marked: str) -> None:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *SUPERVISED, "one=sh -c 'echo busy; sleep 600'"],
        preexec_fn=lambda: os.login_tty(slave),
        pass_fds=[slave],
    )
    os.close(slave)
    until(lambda: b"busy" in os.read(master, 65_536))
    os.close(master)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    process.terminate()
    assert process.wait(20) == 0
    assert gone(marked, 0)


def test_what_a_part_started_dies_with_it(supervise: Callable[..., Running], marked: str) -> None:
    running = supervise("one=sh -c 'sleep 600 & sleep 601 & wait'")
    until(lambda: len(survivors(marked)) == 4)
    running.end()
    assert gone(marked, 2)


def test_killing_the_supervisor_leaves_no_part_behind(supervise: Callable[..., Running], marked: str) -> None:
    running = supervise(f"one={SLEEPS}", f"two={STUBBORN.replace('sleep 600', 'sleep 0.1')}")
    until(running.says("deaf"))
    running.end(signal.SIGKILL)
    assert gone(marked, 5)


def test_a_part_that_will_not_end_is_killed(supervise: Callable[..., Running], marked: str) -> None:
    running = supervise("grace=0.5", f"one={STUBBORN}")
    until(running.says("deaf"))
    assert running.end() == 0
    assert gone(marked, 2)


def test_a_second_signal_does_not_wait_for_it(supervise: Callable[..., Running], marked: str) -> None:
    running = supervise("grace=600", f"one={STUBBORN}")
    until(running.says("deaf"))
    running.process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert running.process.poll() is None
    assert running.end(signal.SIGINT) == 0
    assert gone(marked, 2)


def test_a_part_that_dies_is_started_again_and_the_others_live_on(
    supervise: Callable[..., Running], marked: str
) -> None:
    running = supervise(f"one={SLEEPS}", "two=sleep 601")
    until(lambda: len(survivors(marked)) == 3)
    before = {p.pid: p.cmdline() for p in survivors(marked)}
    next(p for p in survivors(marked) if p.cmdline() == ["sleep", "601"]).kill()
    until(running.says("two ended (killed by SIGKILL); it starts again in 1 s"))
    until(lambda: len(survivors(marked)) == 3)
    after = {p.pid: p.cmdline() for p in survivors(marked)}
    assert sorted(before.values()) == sorted(after.values())
    assert len(before.keys() & after.keys()) == 2


def test_what_parts_say_carries_their_names(supervise: Callable[..., Running]) -> None:
    running = supervise("one=sh -c 'echo hello; echo trouble >&2; printf unfinished; sleep 600'", f"three={SLEEPS}")
    until(running.says("one   | trouble"))
    running.end()
    assert running.text().splitlines() == ["one   | hello", "one   | trouble", "one   | unfinished"]


def test_the_last_words_of_a_part_are_passed_on(supervise: Callable[..., Running]) -> None:
    running = supervise("one=sh -c 'seq 1 20000; exit 3'")
    until(running.says("one ended (exit status 3)"))
    running.end()
    assert running.text().splitlines()[19_998:20_000] == ["one | 19999", "one | 20000"]


def test_a_line_without_an_end_does_not_fill_the_memory(supervise: Callable[..., Running]) -> None:
    running = supervise("one=sh -c 'head -c 1000000 /dev/zero | tr \"\\0\" x; sleep 600'")
    until(lambda: len(running.text()) > 900_000)
    assert max(map(len, running.text().splitlines())) < 200_000
    running.end()


def test_a_part_waits_until_the_one_before_it_is_ready(tmp_path: Path) -> None:
    flag = tmp_path / "ready"
    first = Part("first", ["sh", "-c", f"sleep 0.3; touch {flag}; sleep 600"], ready=flag.exists)
    second = Part("second", ["sh", "-c", f"test -e {flag} && echo in order; sleep 600"])
    said: list[str] = []
    run_until(Supervisor([first, second], said.append), lambda: bool(said))
    assert said == ["second | in order"]


def test_of_two_that_may_run_a_part_only_one_does(tmp_path: Path) -> None:
    def part() -> Part:
        return Part("one", ["sleep", "600"], lock=tmp_path / "lock")

    holder, other = Supervisor([part()], print), Supervisor([part()], print)
    for each in (holder, other):
        each._tend(each.parts[0])
    assert holder.parts[0].process
    assert other.parts[0].process is None
    holder._stop(holder.parts[0])
    other._tend(other.parts[0])
    assert other.parts[0].process
    other._stop(other.parts[0])


def test_the_wait_before_another_start_grows_to_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(supervisor.time, "monotonic", lambda: now)
    part = Part("one", ["false"])
    keeper = Supervisor([part], lambda _: None)
    waits = []
    for _ in range(6):
        now = max(now, part.due)
        keeper._tend(part)
        assert part.process
        part.process.wait()
        keeper._tend(part)
        waits.append(part.due - now)
    assert waits == [FIRST_DELAY, 2, 4, 8, LONGEST_DELAY, LONGEST_DELAY]
    keeper._tend(part)
    assert part.process is None  # not before its time


def test_a_part_that_was_well_for_long_starts_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(supervisor.time, "monotonic", lambda: now)
    part = Part("one", ["false"])
    keeper = Supervisor([part], lambda _: None)
    part.delay = 8.0
    keeper._tend(part)
    assert part.process
    part.process.wait()
    now += supervisor.STEADY_SECONDS
    keeper._tend(part)
    assert part.delay == FIRST_DELAY


def run_until(keeper: Supervisor, done: Callable[[], bool]) -> None:
    """Run a supervisor in this process, with this process's signal handlers put back afterwards."""
    handlers = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    deadline = time.monotonic() + 20

    def tick() -> None:
        assert time.monotonic() < deadline
        keeper.asked_to_stop = int(done())

    try:
        keeper.run(tick)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
