"""`tuneboard demo`: the reference study on the bundled sample, launched and watched through the REST API."""

import hashlib
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from rich.console import Console

from app.address import listen, url
from app.data.datasets import SAMPLE_FILE
from app.errors import Unavailable
from app.launch.study_presets import reference_study
from app.processes import spawn, stop, terminal_watch
from app.run_config import nest, parse
from app.settings import Settings
from app.status import RunStatus
from app.terminal import tables
from app.terminal.client import Client
from app.terminal.watch import watch
from app.up import ask, gpus, make_data_dir, missing

EXPERIMENT = "Demo: the reference study"
DESCRIPTION = (
    "Eight runs around one baseline, on the bundled sample. Learning rates are ten times those of the reference study, "
    "because a base of 2 million parameters wants larger steps than one of a billion."
)
LEARNING_RATE_FACTOR = 10.0
READY_SECONDS = 60.0
STOP_SECONDS = 30.0
# On a machine without a GPU; one that trains the sample takes about a gigabyte and a half, and others need some too.
MOST_WORKERS, BYTES_EACH = 4, 3 * 10**9
# How often to look whether the terminal is still there.
TERMINAL_SECONDS = 0.5

Json = dict[str, Any]

# What the runs share: small enough that each takes about fifteen seconds of a core.
SETTINGS: Json = {
    "model.base_model": "sample/clinic-2m",
    "data.max_train_rows": 300,
    "evaluation.max_eval_rows": 100,
}


def demo(settings: Settings, *, stop_after: bool, fresh: bool) -> int:
    """Exit status 0 where every run completed."""
    screen = tables.console()
    listen(settings).close()  # else another server on this port would be taken for ours
    with _signals_interrupt(), _server(settings) as server:
        with screen.status("Starting broker, workers and web"):
            _wait_until_ready(settings, server)
        runs = _show_runs(settings, screen, fresh=fresh)
        all_completed = all(run["status"] == RunStatus.COMPLETED for run in runs)
        if not stop_after:
            _stay(settings, screen, server)
    return 0 if all_completed else 1


@contextmanager
def _server(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """`tuneboard up` as a child; its log goes to a file, what it refuses with to the terminal."""
    make_data_dir(settings)
    with (settings.data_dir / "up.log").open("ab") as log:
        share = {"TUNEBOARD_WORKERS": str(settings.workers or workers())}
        server = spawn([sys.executable, "-m", "app.cli", "up"], stdout=log, environment=share)
    try:
        yield server
    finally:
        stop(server, STOP_SECONDS)


def workers() -> int:
    """One for each GPU. Without one the runs train side by side, as the sample's model gains little from a second core:
    one for each core, as far as the memory goes."""
    if devices := gpus():
        return len(devices)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(MOST_WORKERS, os.cpu_count() or 1, memory // BYTES_EACH))


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """SIGTERM and a closed terminal end the demo as Ctrl-C does, through every `finally`."""

    terminal_is_closed = terminal_watch()

    def interrupt(number: int, _: object) -> None:
        if number != signal.SIGALRM or terminal_is_closed():
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, interrupt)
    signal.setitimer(signal.ITIMER_REAL, TERMINAL_SECONDS, TERMINAL_SECONDS)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)


def _wait_until_ready(settings: Settings, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while (answer := ask(settings, "/readyz"))[0] != 200:
        if server.poll() is not None:
            sys.exit(server.returncode or 1)  # it has said why
        if time.monotonic() > deadline:
            log = settings.data_dir / "up.log"
            raise Unavailable(f"Not ready after {READY_SECONDS:.0f} s ({missing(answer[1])}), see {log}.")
        time.sleep(0.1)


def _show_runs(settings: Settings, screen: Console, *, fresh: bool) -> list[Json]:
    """Launch what is not there yet, watch until all have ended, and print what came of it."""
    with Client(settings) as client:
        name = _experiment(client, fresh=fresh)
        if _launch_missing(client, name):
            screen.print(f"The reference study on the bundled sample, eight runs; also at {url(settings)}/queue")
        else:
            screen.print("Launched before; make demo FRESH=1 launches these runs again.")
        runs = watch(lambda: _runs(client, name), screen)
        _print_results(screen, runs)
        _print_report(client, screen, name)
    return runs


def _experiment(client: Client, *, fresh: bool) -> str:
    """The newest demo's name, or the next one's."""
    there = {item["name"] for item in client.get("/experiments", limit=1000)["items"]}
    newest = max((n for n in range(1, len(there) + 1) if _numbered(n) in there), default=0)
    return _numbered(newest + 1 if fresh or not newest else newest)


def _numbered(n: int) -> str:
    return EXPERIMENT if n == 1 else f"{EXPERIMENT} ({n})"


def _launch_missing(client: Client, experiment: str) -> bool:
    """Queue the demo's runs that the experiment lacks; True when there were any."""
    there = {run["name"] for run in _runs(client, experiment)}
    config = nest(SETTINGS | {"data.dataset": _sample(client)})
    study = reference_study(parse(config), LEARNING_RATE_FACTOR)
    missing = [{"name": name, "notes": notes, "set": values} for name, notes, values in study if name not in there]
    if not there:
        client.post("/experiments", {"name": experiment, "description": DESCRIPTION})
    if missing:
        client.post("/sweeps", {"experiment": experiment, "config": config, "runs": missing})
    return bool(missing)


def _sample(client: Client) -> int:
    """The bundled data set, which every start makes sure of."""
    there = client.get("/datasets", limit=1000)["items"]
    with SAMPLE_FILE.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return int(next(item["id"] for item in there if item["sha256"] == sha256))


def _runs(client: Client, experiment: str) -> list[Json]:
    found = [item["id"] for item in client.get("/experiments", limit=1000)["items"] if item["name"] == experiment]
    if not found:
        return []
    runs: list[Json] = client.get("/runs", experiment=found[0], limit=1000)["items"]
    return sorted(runs, key=lambda run: int(run["id"]))


def _print_results(screen: Console, runs: Sequence[Json]) -> None:
    """The leaderboard, base against fine-tuned for its first, and what went wrong with those that failed."""
    completed = [run for run in runs if run["results"]]
    completed.sort(key=lambda run: float(run["results"]["finetuned"]["perplexity"] or math.inf))
    screen.print()
    if completed:
        screen.print(tables.leaderboard(completed, screen.width))
        screen.print()
        screen.print(tables.comparison(completed[0]))
    for run in runs:
        if run["status"] != RunStatus.COMPLETED:
            screen.print(tables.failure(run))


def _print_report(client: Client, screen: Console, experiment: str) -> None:
    """What the report of the study found, and where all of it stands."""
    found = next(item["id"] for item in client.get("/experiments", limit=1000)["items"] if item["name"] == experiment)
    report = client.get(f"/experiments/{found}/report")
    screen.print(tables.findings(report))
    screen.print(f"\nThe whole report: {client.url}/experiments/{found}/report")


def _stay(settings: Settings, screen: Console, server: subprocess.Popen[bytes]) -> None:
    """The dashboard stays up until Ctrl-C; by then everything was shown, so that this end is a good one."""
    screen.print(f"\nThe dashboard is at {url(settings)} until Ctrl-C.")
    with suppress(KeyboardInterrupt):
        server.wait()
        raise Unavailable(f"The dashboard ended by itself, see {settings.data_dir / 'up.log'}.")
    screen.print("Stopping")
