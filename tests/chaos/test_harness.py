"""The harness's own parts: what it counts, what it takes for broken, and the clock and disk it rules over."""

import sqlite3
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.chaos import history, ledger, table
from tests.chaos.history import Move
from tests.chaos.ledger import Entry
from tests.chaos.promises import PROMISES
from tests.chaos.shim import Shim
from tests.chaos.trial import Impossible, Seed


@pytest.fixture
def shim(tmp_path: Path) -> Shim:
    try:
        return Shim(tmp_path)
    except Impossible as reason:
        pytest.skip(str(reason))


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(ledger, "FOLDER", tmp_path)
    monkeypatch.setattr(ledger, "FILE", tmp_path / "trials.jsonl")
    return tmp_path / "trials.jsonl"


def moved(*moves: tuple[str | None, str, int]) -> list[str]:
    return history.violations([Move(1, old, new, attempt, None) for old, new, attempt in moves])


def test_a_promise_and_a_number_always_give_the_same_trial() -> None:
    assert Seed("killed", 7).random() == Seed("killed", 7).random()
    assert len({Seed(promise.name, number).random() for promise in PROMISES for number in range(10)}) > 100
    assert [Seed("killed", number).turn("abc") for number in range(4)] == ["a", "b", "c", "a"]


def test_the_next_go_continues_after_the_last_number_and_a_cut_line_is_no_trial(kept: Path) -> None:
    for number in range(3):
        ledger.append(Entry("once", number))
    ledger.append(Entry("killed", 9))
    with kept.open("a") as file:
        file.write('{"promise": "once", "se')
    assert ledger.next_seed(ledger.read(), "once") == 3
    assert ledger.next_seed(ledger.read(), "cancelled") == 0


def test_the_table_counts_a_trial_that_was_made_again_once_and_names_it() -> None:
    promise = next(promise for promise in PROMISES if promise.name == "once")
    entries = [Entry("once", n, recovery=n / 2) for n in range(30)]
    assert "| 30 | 500 | 0 | 10.00% | 14.5 s |" in table.table([promise], entries)
    broken = [*entries, Entry("once", 3, violations=["two at once"])]
    assert "| 30 | 500 | 1 | seen in 3.3% |" in table.table([promise], broken)
    again = [*broken, Entry("once", 3), Entry("once", 4, mistake="a traceback")]
    assert "| 30 | 500 | 0 | 10.00% |" in table.table([promise], again)
    assert [line.partition(":")[2] for line in table.mended([promise], again)] == [
        " seeds [3] broke it once and held when they were tried again",
        " the harness itself failed with seeds [4]; these are not counted",
    ]


def test_moves_that_no_run_may_make_are_found() -> None:
    assert moved((None, "queued", 0), ("queued", "running", 1), ("running", "completed", 1)) == []
    assert moved((None, "queued", 0), ("queued", "completed", 0)) == [
        "run 1: queued -> completed (attempt 0): not allowed"
    ]
    assert len(moved((None, "queued", 0), ("running", "completed", 0))) == 1
    assert len(moved((None, "queued", 0), ("queued", "running", 2))) == 1


def test_the_database_itself_writes_down_what_happens_to_a_run(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "db") as connection:
        connection.execute(
            "CREATE TABLE run (id INTEGER PRIMARY KEY, status TEXT, attempt INTEGER, owner TEXT, step INTEGER)"
        )
    connection.close()
    history.install(tmp_path / "db")
    connection = sqlite3.connect(tmp_path / "db")
    connection.execute("INSERT INTO run VALUES (1, 'queued', 0, NULL, 0)")
    connection.execute("UPDATE run SET step = 5")
    connection.execute("UPDATE run SET status = 'running', attempt = 1, owner = 'w'")
    assert history.moves(connection) == {
        1: [Move(1, None, "queued", 0, None), Move(1, "queued", "running", 1, "w")],
    }
    connection.close()


def under(shim: Shim, code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=shim.environment, capture_output=True, text=True, check=True).stdout


def test_the_shim_moves_the_time_of_day_and_no_other_clock(shim: Shim) -> None:
    ask = "import time, datetime; print(time.time(), datetime.datetime.now().timestamp(), time.monotonic())"
    shim.set_clock(-86_400)
    of_day, same, monotonic = map(float, under(shim, ask).split())
    assert of_day == pytest.approx(time.time() - 86_400, abs=30)
    assert same == pytest.approx(of_day, abs=5)
    assert monotonic == pytest.approx(time.monotonic(), abs=30)


def test_the_shim_fills_the_disk_for_the_writes_that_it_is_told(shim: Shim, tmp_path: Path) -> None:
    write = f"""
for name in ("full/a", "free/a", "full/b", "full/c"):
    try:
        open("{tmp_path}/" + name, "wb", 0).write(b"x")
        print("ok", end=" ")
    except OSError as error:
        print(error.errno, end=" ")
"""
    for folder in ("full", "free"):
        (tmp_path / folder).mkdir()
        for name in "abc":
            (tmp_path / folder / name).touch()
    shim.fill("*/full/*", first=2, last=2)
    assert under(shim, write).split() == ["ok", "ok", "28", "ok"]
    assert shim.count == 3
    shim.fill("*/full/*")
    assert under(shim, write).split() == ["28", "ok", "28", "28"]
    shim.free()
    assert under(shim, write).split() == ["ok"] * 4


def test_every_promise_has_a_name_of_its_own_and_more_trials_in_full() -> None:
    names = sorted(promise.name for promise in PROMISES)
    assert all(one != other for one, other in pairwise(names))
    assert all(promise.quick < promise.full for promise in PROMISES)
