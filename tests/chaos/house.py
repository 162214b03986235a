"""One Tuneboard of real processes - web, broker, workers and their children - that a trial may do harm to.

Everything in it dies with this process, however that ends: start a House from the main thread, as Linux ties that
to the thread. The trainer is the deterministic stand-in (tests/worker/fake_child.py) or the real one.
"""

import atexit
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from threading import Lock
from typing import Any, Literal, Self

import httpx
import psutil

from app import broker, migrate, runs, up
from app.data.dataset_import import importing
from app.db import Database, connect
from app.models import Dataset
from app.processes import die_with
from app.settings import Settings
from app.status import ENDED
from tests.chaos import history
from tests.chaos.trial import Broken
from tests.worker.fake_child import DEFAULTS, PLAN_FILE

ROOT = Path(__file__).resolve().parents[2]
WORKER = "tests.chaos.worker"
MARK = "CHAOS_HOUSE"
READY_SECONDS = 120.0
# A web that is killed takes its open connections with it.
NO_KEEP_ALIVE = httpx.Limits(max_keepalive_connections=0)
HOLDS = (signal.SIGSTOP, signal.SIGCONT)
Json = dict[str, Any]

# Together longer than the lease of two seconds: a shorter run would prove nothing.
PLAN: Json = {"steps": 60, "step_seconds": 0.04, "checkpoint_every": 5, "prepare_seconds": 0.2, "evaluate_seconds": 0.4}
REAL: Json = {
    "data": {"dataset": 1, "eval_fraction": 0.2, "max_length": 128},
    "training": {"num_train_epochs": 12, "gradient_accumulation_steps": 1, "learning_rate": 1e-4},
    "evaluation": {"max_new_tokens": 16},
}


class House:
    """Entered, its parts run; left, nothing of it does. Trials speak to it through `launch`, `run` and `wait`."""

    def __init__(
        self,
        folder: Path,
        *,
        trainer: Literal["steps", "real"] = "steps",
        workers: int = 1,
        web: bool = True,
        lease: float = 2.0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder, self.trainer = folder, trainer
        self.runtime = Path(tempfile.mkdtemp(prefix="tb-"))  # short: a socket's path is limited to 107 bytes
        self.settings = _settings(folder / "data", self.runtime, lease)
        self.environment = _environment(self.settings, self.runtime, folder) | dict(environment or {})
        self.web: psutil.Process | None = None
        self.broker: psutil.Process | None = None
        self.workers: list[psutil.Process | None] = [None] * workers
        # Runs that were answered with 201, and the plan of their stand-in; None: they train for real.
        self.acknowledged: dict[int, Json | None] = {}
        self._with_web, self._one_at_a_time = web, Lock()
        self._http = httpx.Client(base_url=self.url, timeout=30, trust_env=False, limits=NO_KEEP_ALIVE)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.port}"

    def __enter__(self) -> Self:
        self.furnish()
        self.database: Database = connect(self.settings.database)
        try:
            self.start()
            self.wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._http.close()
        self.database.dispose()
        shutil.rmtree(self.runtime, ignore_errors=True)

    def furnish(self) -> None:
        shutil.copytree(_template(), self.settings.data_dir)

    # --- processes

    def start(self) -> None:
        self.start_broker()
        if self._with_web:
            self.start_web()
        for index in range(len(self.workers)):
            self.start_worker(index)

    def stop(self) -> None:
        """At once and for good; a child dies with its worker."""
        for process in self.parts():
            end(process, signal.SIGKILL)
        for process in self.processes():
            with suppress(psutil.Error):
                process.kill()

    def spawn(self, name: str, command: list[str]) -> psutil.Popen:
        """A process that dies with this one; what it says is kept in `<name>.log`."""
        with (self.folder / f"{name}.log").open("ab") as log:
            return psutil.Popen(
                command,
                env=self.environment,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=partial(die_with, os.getpid()),
            )

    def worker_command(self) -> list[str]:
        return [sys.executable, "-m", WORKER if self.trainer == "steps" else "worker.app"]

    def start_broker(self) -> None:
        self.broker = self.spawn("broker", broker.command(self.settings))
        until(partial(broker.answers, self.settings), 30, "the broker does not answer")

    def start_web(self) -> None:
        self.web = self.spawn("web", [sys.executable, "-m", "app.web.server"])

    def start_worker(self, index: int = 0) -> None:
        self.workers[index] = self.spawn(f"worker-{index}", self.worker_command())

    def kill_broker(self, number: signal.Signals = signal.SIGKILL) -> None:
        end(self.broker, number)

    def kill_web(self, number: signal.Signals = signal.SIGKILL) -> None:
        end(self.web, number)

    def kill_worker(self, index: int = 0, number: signal.Signals = signal.SIGKILL) -> None:
        """Send the signal and, where it ends a process, wait for that."""
        end(self.workers[index], number)

    def hold_worker(self, index: int = 0) -> None:
        """SIGSTOP, at a moment when it has not locked the database: else nobody could write until it goes on."""
        while True:
            self.kill_worker(index, signal.SIGSTOP)
            if self._can_be_written():
                return
            self.kill_worker(index, signal.SIGCONT)
            time.sleep(0.05)

    def _can_be_written(self) -> bool:
        with self.connection() as connection:
            connection.execute("PRAGMA busy_timeout=500")
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return False
            connection.rollback()
            return True

    def child(self, worker: int = 0) -> psutil.Process | None:
        """The training process of a worker."""
        return next((process for process in self._children(worker) if not waits_for_a_run(process)), None)

    def spare(self, worker: int = 0) -> psutil.Process | None:
        """The process that waits beside it for the next run."""
        return next((process for process in self._children(worker) if waits_for_a_run(process)), None)

    def _children(self, worker: int) -> list[psutil.Process]:
        process = self.workers[worker]
        with suppress(psutil.Error):
            return list(process.children()) if process else []
        return []

    def parts(self) -> list[psutil.Process]:
        """The processes that are meant to run; a child is none of them once all runs have ended."""
        return [process for process in [*self.workers, self.web, self.broker] if process]

    def processes(self) -> list[psutil.Process]:
        """Everything alive of this house: by its mark or, as a broker overwrites its own, by its folder."""
        return [process for process in psutil.process_iter() if self._owns(process)]

    def _owns(self, process: psutil.Process) -> bool:
        try:
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                return False
            return process.environ().get(MARK) == str(self.folder) or str(self.runtime) in " ".join(process.cmdline())
        except psutil.Error:
            return False

    def wait_until_ready(self, seconds: float = READY_SECONDS) -> None:
        """Until the web answers that all is there; without a web, until the workers have beaten their hearts."""
        until(self.is_ready, seconds, "not everything came up")

    def is_ready(self) -> bool:
        with self.connection() as connection:
            alive = connection.execute("SELECT COUNT(*) FROM worker").fetchone()[0]
        return alive >= len(self.workers) and (not self._with_web or self.web_is_ready())

    def web_is_ready(self) -> bool:
        return self.readiness().startswith("200")

    def readiness(self) -> str:
        """The answer to /readyz: its status and, where not all is well, what is missing."""
        try:
            answer = self._http.get("/readyz")
        except httpx.TransportError as error:
            return f"the web does not answer: {error}"
        return f"{answer.status_code} {answer.text}"

    def page(self, path: str) -> httpx.Response:
        return self._http.get(path, headers={"Accept": "text/html"})

    def wait_for_web(self, seconds: float = READY_SECONDS) -> float:
        """Until it answers at all; how long that took."""
        return until(lambda: not self.readiness().startswith("the web"), seconds, "the web does not answer")

    def tend(self) -> None:
        """As a supervisor: start again the workers that have ended by themselves."""
        for index, process in enumerate(self.workers):
            if isinstance(process, psutil.Popen) and process.poll() is not None:
                self.start_worker(index)

    # --- runs

    def api(self, method: str, path: str, **request: Any) -> httpx.Response:
        return self._http.request(method, f"/api/v1{path}", **request)

    def launch(self, config: Json | None = None, *, real: bool = False, **plan: Any) -> int:
        """Queue a run over REST, however often the web has to be asked; its plan is there before a claim can be."""
        with self._one_at_a_time:
            expected = self._next_id()
            told = None if real or self.trainer == "real" else {**PLAN, **plan}
            if told:
                self.write_plan(expected, told)
            run_id = self._insist(self.body(config), str(uuid.uuid4()))
            if run_id != expected:
                raise RuntimeError(f"run {run_id} was to be {expected}: somebody else launched beside `launch`")
            self.acknowledged[run_id] = told
            return run_id

    def body(self, config: Json | None = None, name: str = "chaos") -> Json:
        changed = {group: {**values, **(config or {}).get(group, {})} for group, values in REAL.items()}
        return {"experiment": name, "config": {"model": {"base_model": "sample/clinic-2m"}, **changed}}

    def write_plan(self, run_id: int, plan: Json) -> None:
        run_dir = self.settings.run_dir(run_id)
        run_dir.mkdir(parents=True, exist_ok=True)
        known = {name: value for name, value in plan.items() if name in DEFAULTS}
        (run_dir / PLAN_FILE).write_text(json.dumps(known))

    def plan_for_all(self, plan: Json) -> None:
        """For runs that are launched otherwise than by `launch`, whose number nobody knows before."""
        (self.settings.runs_dir).mkdir(exist_ok=True)
        (self.settings.runs_dir / PLAN_FILE).write_text(json.dumps(plan))

    def _next_id(self) -> int:
        with self.connection() as connection:
            row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'run'").fetchone()
        return (row[0] if row else 0) + 1

    def _insist(self, body: Json, key: str, seconds: float = 120) -> int:
        deadline, answer = time.monotonic() + seconds, ""
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                response = self.api("POST", "/runs", json=body, headers={"Idempotency-Key": key})
                if response.status_code == 201:
                    run_id: int = response.json()["id"]
                    return run_id
                answer = response.text
                if response.status_code < 500:
                    break
            time.sleep(0.1)
        raise Broken(f"a run could not be launched: {answer or 'the web does not answer'}")

    def cancel(self, run_id: int) -> httpx.Response:
        return self.api("POST", f"/runs/{run_id}/cancel")

    def run(self, run_id: int) -> Json:
        """As the API shows it, read from the row: the web may be away."""
        with self.database.reading() as session:
            return runs.to_api(*runs.get_with_experiment(session, run_id))

    def wait(self, run_id: int, condition: Callable[[Json], bool], seconds: float = 60) -> Json:
        """Until it came to that; Broken where it did not."""
        deadline = time.monotonic() + seconds
        while not condition(run := self.run(run_id)):
            if time.monotonic() > deadline:
                raise Broken(f"waited {seconds:.0f} s for run {run_id}, which is {short(run)}")
            time.sleep(0.02)
        return run

    def wait_all(self, seconds: float = 180) -> list[str]:
        """Until every acknowledged run has ended; what did not, as violations."""
        deadline, open_runs = time.monotonic() + seconds, sorted(self.acknowledged)
        while open_runs := [run_id for run_id in open_runs if self.run(run_id)["status"] not in ENDED]:
            self.tend()
            if time.monotonic() > deadline:
                return [f"run {n} had not ended after {seconds:.0f} s: {short(self.run(n))}" for n in open_runs]
            time.sleep(0.05)
        return []

    def rest(self, seconds: float) -> None:
        """Let time pass, and start again what ends by itself."""
        until_then = time.monotonic() + seconds
        while time.monotonic() < until_then:
            self.tend()
            time.sleep(0.1)

    def holder(self, run_id: int) -> int | None:
        """Which worker has the run."""
        with self.connection() as connection:
            row = connection.execute("SELECT owner FROM run WHERE id = ?", (run_id,)).fetchone()
        pid = int(row[0].partition("@")[0].rpartition(".")[2]) if row and row[0] else None
        return next((n for n, worker in enumerate(self.workers) if worker and worker.pid == pid), None)

    def lives(self, run_id: int) -> list[int]:
        """The process that was alive in it, again and again, in the order of time."""
        path = self.settings.run_dir(run_id) / "alive.log"
        return [int(line) for line in path.read_text().splitlines() if line] if path.exists() else []

    def steps(self, run_id: int) -> list[tuple[int, int]]:
        """Process and step of all that was done, in the order of time."""
        path = self.settings.run_dir(run_id) / "pids.log"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(int(pid), int(step)) for pid, step in (line.split() for line in lines)]

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """Straight to the file, for looking only."""
        connection = sqlite3.connect(self.settings.data_dir / "tuneboard.db", timeout=60)
        try:
            yield connection
        finally:
            connection.close()


def short(run: Json) -> str:
    step = run["progress"]["step"]
    return f"{run['status']} in attempt {run['attempt']}, stage {run['stage']}, step {step}, error {run['error']}"


def until(condition: Callable[[], bool], seconds: float, complaint: str) -> float:
    """Wait for it and tell how long that took; Broken with the complaint."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() > began + seconds:
            raise Broken(f"{complaint} after {seconds:.0f} s")
        time.sleep(0.02)
    return time.monotonic() - began


def end(process: psutil.Process | None, number: signal.Signals) -> None:
    """Send a signal; wait for the end of a process that it may end, and kill one that does not."""
    if process is None or not process.is_running():
        return
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)
        if number in HOLDS:
            return
        try:
            process.wait(60)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(60)


def _settings(data_dir: Path, runtime: Path, lease: float) -> Settings:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    try:
        settings = Settings(data_dir=data_dir, port=port, lease_seconds=lease, redis_url="", database_url="", token="")
        assert settings.broker_socket.parent.parent == runtime  # read from the environment now, and kept
    finally:
        os.environ.pop("XDG_RUNTIME_DIR")
        if before is not None:
            os.environ["XDG_RUNTIME_DIR"] = before
    return settings


def waits_for_a_run(process: psutil.Process) -> bool:
    """Its input is a socket; that of every other process of a house is a pipe or nothing."""
    with suppress(OSError):
        return os.readlink(f"/proc/{process.pid}/fd/0").startswith("socket:")
    return False


def _environment(settings: Settings, runtime: Path, folder: Path) -> dict[str, str]:
    inherited = {n: v for n, v in os.environ.items() if not n.startswith(("TUNEBOARD_", "MAKE", "MFLAGS"))}
    return inherited | {
        "TUNEBOARD_DATA_DIR": str(settings.data_dir),
        "TUNEBOARD_PORT": str(settings.port),
        "TUNEBOARD_LEASE_SECONDS": str(settings.lease_seconds),
        "TUNEBOARD_RETRY_SECONDS": "0.2",
        "XDG_RUNTIME_DIR": str(runtime),
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        MARK: str(folder),
    }


@cache
def _template() -> Path:
    """A data folder with a migrated database, its history and one data set: made once, copied by each House."""
    folder = Path(tempfile.mkdtemp(prefix="tb-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    settings = Settings(data_dir=folder, redis_url="", database_url="")
    migrate.upgrade(settings)
    source = folder / "pairs.jsonl"
    rows = ({"instruction": f"What is item {n}?", "response": f"Item {n} comes before {n + 1}."} for n in range(60))
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings.dataset_dir(1).mkdir(parents=True)
    report = importing.run(source, settings.dataset_dir(1), format="jsonl", columns={}, skip=False)
    source.unlink()
    database = connect(settings.database)
    with database.writing() as session:
        session.add(Dataset(id=1, name="pairs", **report))
        session.commit()
    database.dispose()
    up.prepare(settings)  # what `tuneboard up` would do at every first start
    history.install(folder / "tuneboard.db")
    return folder
