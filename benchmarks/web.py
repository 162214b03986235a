"""How fast and how small the web side is: `python -m benchmarks.web [--others PYTHON]` prints tables.

It fills databases of its own (100, 1,000 and 10,000 finished runs; 100 runs with 2,000 points in each of five series)
and asks real servers. `--others` names a Python that has mlflow: the same work is then done by its server on its SQLite
store, in turns with ours, and printed as ratios.
"""

import argparse
import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table
from sqlmodel import Session

from app.db import connect
from app.models import Run
from app.settings import Settings
from app.status import RunStatus
from benchmarks import _browsing, _others
from benchmarks._filling import SERIES, fill, write_history
from benchmarks._serving import Server, packed, serving
from worker.protocol import Points
from worker.series import Series

SIZES = (100, 1_000, 10_000)
REPEATS = 15
POINTS = 2_000
FIFTY = ",".join(map(str, range(1, 51)))
LANGUAGE = "lora.r in (8, 16) and (eval/perplexity < 20 or training.learning_rate > 1e-4)"
CALLS = {
    "leaderboard page, first 100 rows": "/leaderboard",
    "leaderboard page, 50 of a filter": f"/leaderboard?filter={LANGUAGE}",
    "50 rows by best perplexity": "/api/v1/leaderboard?limit=50",
    "50 rows by BLEU": "/api/v1/leaderboard?limit=50&sort=-bleu",
    "50 rows by a setting": "/api/v1/leaderboard?limit=50&sort=lora.r",
    "50 rows, seeds together": "/api/v1/leaderboard?limit=50&group=configuration",
    "50 rows, a filter": f"/api/v1/leaderboard?limit=50&filter={LANGUAGE}",
    "50 rows, words to find": "/api/v1/leaderboard?limit=50&filter=rank",
    "runs, newest 50": "/api/v1/runs",
    "compare of 50": f"/api/v1/compare?runs={FIFTY}",
    "compare page of 50": f"/compare?runs={FIFTY}",
    "launch page": "/runs/new",
}
HISTORY = "/api/v1/history?runs=1,2,3,4,5,6,7,8,9,10&name=train/loss&max_points=2000"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--others", metavar="PYTHON", help="a Python with mlflow, to do the same work side by side")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    asked = parser.parse_args(arguments)
    console = Console(width=140)
    console.print(_by_size(asked.sizes))
    console.print(_histories())
    if asked.others:
        console.print(_others.table(asked.others, REPEATS))


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None)
    for column in ("", *columns):
        table.add_column(column, justify="right" if column else "left")
    return table


def _by_size(sizes: Sequence[int]) -> Table:
    """A column a size: median on the clock, the server's own CPU, bytes as sent (gzip)."""
    columns = [_of_size(size) for size in sizes]
    table = _table("Web, by finished runs", *(f"{size:,}" for size in sizes))
    for label in columns[0]:
        table.add_row(label, *(column[label] for column in columns))
    return table


def _of_size(runs: int) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder))
        fill(settings, runs)
        with serving(settings) as server:
            found = {"start to the first 200": f"{server.start_seconds:.2f} s"}
            time.sleep(1)
            found["memory (RSS), idle"] = f"{server.memory():.0f} MB"
            found |= {label: str(server.ask(path, REPEATS)) for label, path in CALLS.items()}
            found["memory (RSS), after all of it"] = f"{server.memory():.0f} MB"
            found |= _as_seen(server)
        return found


def _as_seen(server: Server) -> dict[str, str]:
    seen = _browsing.look(server.address, "/leaderboard", "tr[data-run]", 5)
    if seen is None:
        return {"leaderboard in Chromium, usable": "no browser"}
    weight = f"{seen.bytes / 1000:.0f} kB in {seen.requests} requests"
    return {"leaderboard in Chromium, usable": f"{seen.seconds:.2f} s", "its first visit": weight}


def _histories() -> Table:
    table = _table(f"100 runs of {POINTS:,} points in each of five series", "")
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder))
        fill(settings, 100)
        database = connect(settings.database)
        with database.writing() as session:
            began = time.perf_counter()
            points = sum(write_history(session, run_id, POINTS) for run_id in range(1, 101))
            table.add_row("points written", f"{points / (time.perf_counter() - began):,.0f} a second")
        with serving(settings) as server:
            table.add_row("history, 10 runs, every point", str(server.ask(HISTORY, REPEATS)))
            thinned = HISTORY.replace("max_points=2000", "max_points=500")
            table.add_row("history, 10 runs, 500 points each", str(server.ask(thinned, REPEATS)))
            table.add_row("compare page of 10", str(server.ask("/compare?runs=1,2,3,4,5,6,7,8,9,10", REPEATS)))
            table.add_row("page of a run", str(server.ask("/runs/5", REPEATS)))
            with database.writing() as session:
                table.add_row("live tick, the event of a step", f"{_tick(server, session):,} bytes")
            table.add_row("first page without charts, gzip", f"{_weight(server) / 1000:.0f} kB")
            if seen := _browsing.look(server.address, "/compare?runs=1,2,3,4,5,6,7,8,9,10", "main table", 5):
                table.add_row("compare of 10 in Chromium, usable", f"{seen.seconds:.2f} s")
        database.dispose()
    return table


def _tick(server: Server, session: Session) -> int:
    """Bytes of what a browser that watches a run gets when one more step of five series has been made."""
    run = session.get_one(Run, 5)
    run.status, run.step = RunStatus.RUNNING, POINTS
    session.commit()
    address = f"{server.address}/api/v1/events?runs=5"
    with httpx.stream("GET", address, timeout=20, headers={"accept": "text/event-stream"}) as stream:
        events = stream.iter_text()
        next(events)
        series = Series()
        run.step += 1
        series.take(Points(step=run.step, epoch=3.0, time=1000.0, values=dict.fromkeys(SERIES, 1.25)))
        series.write(session, 5)
        session.commit()
        return next(len(text) for text in events if "points" in text)


def _weight(server: Server) -> int:
    """The page, and every style and script that it names."""
    page = server.client.get("/leaderboard").raise_for_status()
    files = set(re.findall(r'(?:href|src)="(/static/[^"]+[.](?:css|js)[^"]*)"', page.text))
    return packed(server.client, "/leaderboard") + sum(packed(server.client, file) for file in files)


if __name__ == "__main__":
    main()
