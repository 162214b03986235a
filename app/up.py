"""`tuneboard up`: everything on one machine, under one supervisor."""

import http.client
import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from app import broker, folders
from app.address import listen, url
from app.data import datasets
from app.db import explained, file_of, opened
from app.errors import Conflict, Unavailable
from app.migrate import upgrade
from app.models import Run
from app.processes import exclusive, waiting_lock
from app.settings import Settings
from app.supervisor import Part, Supervisor, to_terminal

READY_SECONDS = 30.0
# Held by `up` as long as it runs, and by whoever makes the folder ready.
LOCK, PREPARE_LOCK = "up.lock", "prepare.lock"


def up(settings: Settings) -> None:
    """Broker, worker and web until a signal; raises one sentence, before anything is started, where it cannot be."""
    make_data_dir(settings)
    refusal = f"Tuneboard already runs on the data folder {settings.data_dir}"
    with exclusive(settings.data_dir / LOCK, refusal):
        listen(settings).close()
        parts = [*broker_part(settings), *worker_parts(settings.workers), web()]
        prepare(settings)
        Supervisor(parts, to_terminal).run(announcer(settings, to_terminal))


def work(settings: Settings) -> None:
    """A worker, with an embedded broker beside it where no other process has started one."""
    parts = [*broker_part(settings), *worker_parts(1)]
    prepare(settings)
    Supervisor(parts, to_terminal).run()


def broker_part(settings: Settings) -> list[Part]:
    """None where a broker of its own is there."""
    if settings.redis_url:
        return []
    command = broker.command(settings)
    return [Part("broker", command, ready=partial(broker.answers, settings), lock=broker.lock_path(settings))]


def worker_parts(count: int) -> list[Part]:
    """So many workers, or one for each GPU where that is 0, each with its share of the machine."""
    command, devices = worker_command(), gpus()
    count = count or max(1, len(devices))
    if count == 1:
        return [Part("worker", command)]
    return [Part(f"worker {n + 1}", command, environment=_share(n, count, devices)) for n in range(count)]


def gpus() -> list[str]:
    """None, too, where the worker's libraries are not installed: the web alone does without them."""
    try:
        from app.gpus import visible
    except ImportError:
        return []
    return visible()


def _share(number: int, count: int, devices: list[str]) -> dict[str, str]:
    """What a worker's environment has beside everybody's: its GPU in turn, or where there is none its cores."""
    if devices:
        return {"CUDA_VISIBLE_DEVICES": devices[number % len(devices)]}
    if "OMP_NUM_THREADS" in os.environ:
        return {}
    return {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // count))}


def worker_command() -> list[str]:
    if importlib.util.find_spec("torch") is None:
        raise Unavailable("The worker's libraries are not installed: pip install -e '.[worker]' brings them.")
    return [sys.executable, "-m", "worker.app"]


def web() -> Part:
    return Part("web", [sys.executable, "-m", "app.web.server"])


def make_data_dir(settings: Settings) -> None:
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Conflict(f"Cannot use the data folder {settings.data_dir}: {error.strerror}.") from None


def prepare(settings: Settings) -> None:
    """A current database and the bundled data set; one process at a time, the others wait for it."""
    make_data_dir(settings)
    _refuse_without_database(settings)
    with waiting_lock(settings.data_dir / PREPARE_LOCK), explained(settings.database):
        upgrade(settings)
        with opened(settings.database) as database, database.writing() as session:
            datasets.sweep(session, settings)
            folders.sweep(session, Run, settings.runs_dir)
            session.rollback()
            datasets.ensure_sample(session, settings)


def _refuse_without_database(settings: Settings) -> None:
    """A new database beside the files of an old one would give their numbers, and so their folders, to others."""
    left = [folder.name for folder in (settings.runs_dir, settings.datasets_dir) if any(folder.glob("[0-9]*"))]
    if left and not file_of(settings.database).exists():
        raise Conflict(
            f"The data folder {settings.data_dir} has {' and '.join(left)} and no database "
            f"({file_of(settings.database)}): put that back (a copy may be in {settings.backups_dir}), restore a "
            "backup into another folder, or move these away."
        )


def announcer(settings: Settings, say: Callable[[str], None]) -> Callable[[], None]:
    """Says once that all is ready, and where; says once what is missing when that takes long."""
    late_at = time.monotonic() + READY_SECONDS
    said: set[str] = set()

    def tick() -> None:
        if "ready" in said:
            return
        status, body = ask(settings, "/readyz")
        if status == http.HTTPStatus.OK:
            said.add("ready")
            say(f"Tuneboard is up: {url(settings)} (data in {settings.data_dir}; Ctrl-C stops it)")
        elif "late" not in said and time.monotonic() > late_at:
            said.add("late")
            say(f"Still not ready after {READY_SECONDS:.0f} s: {missing(body)}")

    return tick


def missing(readiness: str) -> str:
    """What /readyz found wanting, in words."""
    if not readiness:
        return "the web server does not answer"
    parts: dict[str, dict[str, Any]] = json.loads(readiness)["parts"]
    return "; ".join(f"{name}: {part['state']}" for name, part in parts.items() if not part["up"])


def ask(settings: Settings, path: str) -> tuple[int, str]:
    """Status and body of a GET to our own server; (0, "") while nobody answers."""
    host = url(settings).removeprefix("http://").rsplit(":", 1)[0].strip("[]")
    connection = http.client.HTTPConnection(host, settings.port, timeout=3)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()
