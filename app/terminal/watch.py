"""Watch runs until they have ended: bars in a terminal, a line for each change elsewhere."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from app.status import ENDED, RunStatus
from app.terminal import tables
from app.web import numbers

Json = dict[str, Any]
POLL_SECONDS = 0.5


def watch(fetch: Callable[[], Sequence[Json]], screen: Console) -> list[Json]:
    """Call `fetch` twice a second and show what it answers; returns the runs when all of them have ended."""
    show = _bars if screen.is_terminal else _lines
    return show(fetch, screen)


def _bars(fetch: Callable[[], Sequence[Json]], screen: Console) -> list[Json]:
    columns = (TextColumn("{task.description}"), BarColumn(28), TextColumn("{task.fields[state]}"))
    tasks: dict[int, TaskID] = {}
    with Progress(*columns, console=screen) as progress:
        while True:
            runs = list(fetch())
            for run in runs:
                if run["id"] not in tasks:
                    tasks[run["id"]] = progress.add_task(tables.plain(run["name"]), total=1.0, state="")
                done = 1.0 if run["status"] == RunStatus.COMPLETED else run["progress"]["fraction"]
                progress.update(tasks[run["id"]], completed=done, state=_state(run))
            if all(run["status"] in ENDED for run in runs):
                return runs
            time.sleep(POLL_SECONDS)


def _lines(fetch: Callable[[], Sequence[Json]], screen: Console) -> list[Json]:
    shown: dict[int, tuple[str, str]] = {}
    while True:
        runs = list(fetch())
        for run in runs:
            if shown.get(run["id"]) != (now := (run["status"], run["stage"])):
                shown[run["id"]] = now
                screen.print(f"{tables.plain(run['name'])}: {_state(run)}")
        if all(run["status"] in ENDED for run in runs):
            return runs
        time.sleep(POLL_SECONDS)


def _state(run: Json) -> str:
    left = run["progress"]["eta_seconds"]
    if run["status"] != RunStatus.RUNNING or not left:
        return tables.status(run)
    return f"{tables.status(run)}, {numbers.duration(left).striptags()} left"
