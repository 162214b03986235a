"""What each command of `tuneboard` does; returns its exit status."""

import json
import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from app import up as everything
from app.address import listen
from app.backups import backup as backups
from app.backups import restore as restoring
from app.errors import Invalid
from app.settings import Settings
from app.terminal import demo as demonstration
from app.terminal import tables
from app.terminal.client import Client


def up(settings: Settings, _: Namespace) -> int:
    everything.up(settings)
    return 0


def web(settings: Settings, _: Namespace) -> int:
    listen(settings).close()  # a refusal comes before any work
    everything.prepare(settings)
    from app.web.server import serve  # no other command needs the web framework in memory

    serve(settings)
    return 0


def worker(settings: Settings, _: Namespace) -> int:
    command = everything.worker_command()
    if settings.redis_url:
        everything.prepare(settings)
        os.execv(command[0], command)  # noqa: S606 - with nothing to supervise, become the worker
    everything.work(settings)
    return 0


def demo(settings: Settings, arguments: Namespace) -> int:
    return demonstration.demo(settings, stop_after=arguments.exit, fresh=arguments.fresh)


def backup(settings: Settings, arguments: Namespace) -> int:
    made = backups.make(settings, arguments.target or _backups_dir(settings), with_models=arguments.models)
    what = f"{_count(made.runs, 'run')} and {_count(made.datasets, 'data set')}"
    sys.stdout.write(f"{made.file}: {what}, {made.size_bytes / 1e6:,.1f} MB, read back and verified.\n")
    for note in made.notes:
        sys.stdout.write(f"Note: {note}\n")
    return 0


def restore(settings: Settings, arguments: Namespace) -> int:
    found = restoring.restore(settings, arguments.file)
    what = f"{_count(found.runs, 'run')} and {_count(found.datasets, 'data set')} are"
    goes_on = f" `tuneboard up` goes on with {_count(found.unfinished, 'run')}." if found.unfinished else ""
    sys.stdout.write(f"{what} in {settings.data_dir}, every file as it was backed up.{goes_on}\n")
    return 0


def _backups_dir(settings: Settings) -> Path:
    if settings.data_dir.is_dir():
        settings.backups_dir.mkdir(exist_ok=True)
    return settings.backups_dir


def _count(number: int, noun: str) -> str:
    return f"{number} {noun if number == 1 else noun + 's'}"


def launch(settings: Settings, arguments: Namespace) -> int:
    body = {
        "experiment": arguments.experiment,
        "name": arguments.name,
        "notes": arguments.notes,
        "tags": arguments.tags,
        "config": _read_config(arguments.file),
    }
    with Client(settings) as client:
        run = client.post("/runs", body)
        text = f"Run {run['id']}, {tables.plain(run['name'])}: {run['status']}, {client.url}/runs/{run['id']}"
    _print(run, arguments, text, *(f"Note: {warning}" for warning in run["warnings"]))
    return 0


def runs(settings: Settings, arguments: Namespace) -> int:
    query = {name: getattr(arguments, name) for name in ("experiment", "status", "limit")}
    with Client(settings) as client:
        answer = client.get("/runs", **{name: value for name, value in query.items() if value is not None})
    _print(answer, arguments, tables.run_list(answer["items"]))
    return 0


def show(settings: Settings, arguments: Namespace) -> int:
    with Client(settings) as client:
        run = client.get(f"/runs/{arguments.run}")
    _print(run, arguments, *tables.describe(run))
    return 0


def _read_config(file: str) -> Any:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        return json.loads(text)
    except OSError as error:
        raise Invalid.one(file, error.strerror or str(error)) from None
    except ValueError as error:
        raise Invalid.one(file, f"not JSON: {error}") from None


def _print(answer: dict[str, Any], arguments: Namespace, *shown: Any) -> None:
    if arguments.json:
        sys.stdout.write(json.dumps(answer, indent=2, ensure_ascii=False) + "\n")
        return
    screen = tables.console()
    for item in shown:
        screen.print(item)
