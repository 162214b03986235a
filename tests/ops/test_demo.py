"""`tuneboard demo`: which runs it launches, what it prints, how it ends, and that nothing is left behind."""

import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from rich.console import Console

from app.run_config import nest, parse
from app.settings import Settings
from app.terminal import demo
from tests.chaos.house import waits_for_a_run
from tests.ops.conftest import HEARS_AND_WAITS, gone, survivors, until

SMALL_DEMO = [sys.executable, str(Path(__file__).parent / "small_demo.py")]
STUDY = demo.reference_study(parse(nest(demo.SETTINGS | {"data.dataset": 1})), demo.LEARNING_RATE_FACTOR)
Json = dict[str, Any]


class Server:
    """The part of the API that the demo speaks to, in memory; the real one is spoken to further below."""

    def __init__(self, *experiments: str) -> None:
        self.experiments = list(experiments)
        self.runs: list[Json] = []
        self.datasets = [{"id": 5, "sha256": "another"}]

    def get(self, path: str, **query: str | int) -> Json:
        items = {
            "/experiments": [{"id": i, "name": name} for i, name in enumerate(self.experiments, 1)],
            "/runs": [run for run in self.runs if run["experiment"] == query.get("experiment")],
            "/datasets": self.datasets,
        }
        return {"items": items[path]}

    def post(self, path: str, body: Json) -> Json:
        if path == "/experiments":
            assert "ten times" in body["description"]
            self.experiments.append(body["name"])
            return body
        assert path == "/sweeps"
        number = self.experiments.index(body["experiment"]) + 1
        for run in body["runs"]:
            made = {"id": len(self.runs) + 1, "name": run["name"], "experiment": number, "config": body["config"]}
            self.runs.append(made)
        return body


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Server:
    sample = tmp_path / "sample.jsonl"
    sample.write_text("{}")
    monkeypatch.setattr(demo, "SAMPLE_FILE", sample)
    made = Server()
    made.datasets.append({"id": 9, "sha256": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"})
    return made


def test_the_study_is_the_reference_study_with_larger_learning_rates() -> None:
    assert [name for name, _, _ in STUDY] == ["Baseline", *(f"Exp {n}" for n in range(1, 7)), "Without 4-bit"]
    assert STUDY[0][2]["training.learning_rate"] == 2e-3
    for _, _, changes in STUDY:
        parse(nest(demo.SETTINGS | {"data.dataset": 1} | changes))


def test_the_first_demo_launches_its_runs_on_the_sample(server: Server) -> None:
    name = demo._experiment(server, fresh=False)  # type: ignore[arg-type]
    assert demo._launch_missing(server, name)  # type: ignore[arg-type]
    assert [run["name"] for run in server.runs] == [name for name, _, _ in STUDY]
    assert {run["config"]["data"]["dataset"] for run in server.runs} == {9}


def test_a_second_demo_launches_nothing(server: Server) -> None:
    name = demo._experiment(server, fresh=False)  # type: ignore[arg-type]
    demo._launch_missing(server, name)  # type: ignore[arg-type]
    assert demo._experiment(server, fresh=False) == name  # type: ignore[arg-type]
    assert not demo._launch_missing(server, name)  # type: ignore[arg-type]


def test_an_interrupted_launch_is_completed(server: Server) -> None:
    demo._launch_missing(server, demo.EXPERIMENT)  # type: ignore[arg-type]
    del server.runs[1]
    assert demo._launch_missing(server, demo.EXPERIMENT)  # type: ignore[arg-type]
    assert sorted(run["name"] for run in server.runs) == sorted(name for name, _, _ in STUDY)


def test_a_fresh_demo_is_an_experiment_of_its_own_and_then_the_newest(server: Server) -> None:
    server.experiments = ["Something else", demo.EXPERIMENT]
    second = demo._experiment(server, fresh=True)  # type: ignore[arg-type]
    assert second == f"{demo.EXPERIMENT} (2)"
    server.experiments.append(second)
    assert demo._experiment(server, fresh=False) == second  # type: ignore[arg-type]
    assert demo._experiment(server, fresh=True) == f"{demo.EXPERIMENT} (3)"  # type: ignore[arg-type]


def test_the_best_run_stands_first_and_a_failed_one_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    runs = [ended("worse", 9.0), ended("failed", None), ended("better", 5.0)]
    demo._print_results(Console(width=160), runs)
    said = capsys.readouterr().out
    assert said.index("better") < said.index("worse")
    assert "better: base and fine-tuned" in said
    assert "failed failed: Out of memory" in said


def ended(name: str, perplexity: float | None) -> Json:
    values = {"perplexity": perplexity, "bleu": 0.1, "rouge_l": 0.2, "loss": 1.0}
    results = {"base": values, "finetuned": values, "improvement": values, "eval_rows": 4}
    config = nest(demo.SETTINGS | STUDY[0][2])
    failed = perplexity is None
    return {
        "name": name,
        "status": "failed" if failed else "completed",
        "config": config,
        "results": None if failed else results,
        "resources": None,
        "error": {"title": "Out of memory"} if failed else None,
    }


@contextmanager
def in_terminal(*first: str) -> Iterator[tuple[subprocess.Popen[bytes], list[bytes], int]]:
    """The demo in a terminal of its own, started by `first`: its process, what it printed so far, and the terminal."""
    master, slave = pty.openpty()
    process = subprocess.Popen([*first, *SMALL_DEMO], preexec_fn=lambda: os.login_tty(slave), pass_fds=[slave])
    os.close(slave)
    said: list[bytes] = []

    def listen() -> None:
        try:
            while chunk := os.read(master, 65_536):
                said.append(chunk)
        except OSError:  # the other side is closed
            return

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield process, said, master
    finally:
        process.kill()
        process.wait()
        listener.join(5)


@pytest.mark.slow
def test_the_demo_runs_to_its_end_and_again_from_what_is_there(settings: Settings, marked: str) -> None:
    first = subprocess.run([*SMALL_DEMO, "--exit"], capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stdout + first.stderr
    assert gone(marked, 0)
    for words in (
        "Baseline",
        "Exp 1",
        "Findings",
        "The whole report",
        "training",
        "completed",
        "Leaderboard",
        "Perplexity ↓",
        "base and fine-tuned on 4",
    ):
        assert words in first.stdout
    began = time.monotonic()
    with in_terminal() as (process, said, _):
        until(lambda: b"The dashboard is at" in b"".join(said), 60)
        assert time.monotonic() - began < 3 * 10  # promised: 10 s
        assert b"launches these runs again" in b"".join(said)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert gone(marked, 0)


@pytest.mark.slow
@pytest.mark.parametrize("end", ["ctrl-c", "sigterm", "closed terminal", "closed terminal of make", "kill -9"])
def test_nothing_is_left_behind_while_a_run_trains(end: str, settings: Settings, marked: str) -> None:
    first = HEARS_AND_WAITS if end == "closed terminal of make" else ()
    with in_terminal(*first) as (process, _, terminal):
        until(lambda: trains(marked), 60)
        if end == "ctrl-c":
            os.write(terminal, b"\x03")
        elif end == "sigterm":
            process.terminate()
        elif end.startswith("closed terminal"):
            os.close(terminal)
        else:
            process.kill()
        process.wait(30)
        assert gone(marked, 5)


def trains(mark: str) -> bool:
    """Whether a training child lives, be it a new process or the one that waited for its run."""
    return any(
        "--lock" in words or ("worker.warm" in words and not waits_for_a_run(process))
        for process, words in command_lines(mark)
    )


def command_lines(mark: str) -> Iterator[tuple[psutil.Process, list[str]]]:
    for process in survivors(mark):
        with suppress(psutil.Error):
            yield process, process.cmdline()
