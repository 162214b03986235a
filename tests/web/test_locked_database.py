"""While another process holds the database's lock: writers get an answer that they can act on, readers get pages."""

import asyncio
import re
import sqlite3
import statistics
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlmodel import select

from app.db import Database, file_of
from app.models import Experiment
from app.settings import Settings
from app.web import turns
from tests.web.conftest import Web

WRITERS = 40  # as many as the server has threads
# Promised: at once. Asserted at three times a generous page on a machine that does other things.
READ_SECONDS = 3.0
PERSON = {"accept": "text/html"}


@contextmanager
def locked(settings: Settings, *before: str) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(file_of(settings.database), isolation_level=None, timeout=0)) as other:
        for statement in before:
            other.execute(statement)
        other.execute("BEGIN EXCLUSIVE")
        yield other


def test_forty_writers_behind_a_lock_leave_readers_alone(web: Web, settings: Settings) -> None:
    reads, answers = asyncio.run(_readers_among_writers(web, settings))
    print(f"{len(reads)} reads: median {statistics.median(reads):.3f} s, slowest {max(reads):.3f} s")
    assert max(reads) < READ_SECONDS
    assert {answer.status_code for answer in answers} == {503}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
    assert all(answer.headers["content-type"] == "application/problem+json" for answer in answers)
    slowest = max(answer.elapsed.total_seconds() for answer in answers)
    assert slowest < 3 * 2 * turns.WAIT_SECONDS


async def _readers_among_writers(web: Web, settings: Settings) -> tuple[list[float], list[httpx.Response]]:
    limits = httpx.Limits(max_connections=2 * WRITERS)
    async with httpx.AsyncClient(base_url=web.address, timeout=60, limits=limits) as client:
        with locked(settings):
            bodies = [{"name": f"experiment {number}"} for number in range(WRITERS)]
            writers = [asyncio.create_task(client.post("/api/v1/experiments", json=body)) for body in bodies]
            await asyncio.sleep(0.5)
            reads = []
            while not all(writer.done() for writer in writers):
                for path in ("/api/v1/experiments", "/experiments", "/queue"):
                    began = time.monotonic()
                    (await client.get(path, headers=PERSON)).raise_for_status()
                    reads.append(time.monotonic() - began)
                await asyncio.sleep(0.1)
        return reads, [await writer for writer in writers]


def test_a_short_lock_is_waited_for(web: Web, settings: Settings, database: Database) -> None:
    async def post() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=web.address, timeout=60) as client:
            with locked(settings) as other:
                names = [f"experiment {number}" for number in range(12)]
                writers = [
                    asyncio.create_task(client.post("/api/v1/experiments", json={"name": name})) for name in names
                ]
                await asyncio.sleep(1)
                other.execute("ROLLBACK")
            return [await writer for writer in writers]

    assert [answer.status_code for answer in asyncio.run(post())] == [201] * 12
    with database.reading() as session:
        assert len(session.exec(select(Experiment)).all()) == 12


def test_nobody_can_lock_readers_out_of_a_server_that_runs(web: Web, settings: Settings) -> None:
    """SQLite's exclusive locking mode shuts everybody out, where it gets the file to itself."""
    with (
        pytest.raises(sqlite3.OperationalError, match="database is locked"),
        locked(settings, "PRAGMA locking_mode=EXCLUSIVE"),
    ):
        pass
    httpx.get(f"{web.address}/experiments").raise_for_status()


@pytest.fixture
def impatient(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A server that gives up soon."""
    monkeypatch.setattr(turns, "WAIT_SECONDS", 0.1)
    app.state.db.write.pool.dispose()

    def at_once(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute("PRAGMA busy_timeout=100")

    from app import db

    db.event.listen(app.state.db.write, "connect", at_once)
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        yield client


def token(client: TestClient, path: str) -> str:
    found = re.search(r'name="_token" value="([^"]+)"', client.get(path, headers=PERSON).text)
    assert found
    return found[1]


def test_what_was_typed_can_be_sent_again(impatient: TestClient, settings: Settings, database: Database) -> None:
    form = {"_token": token(impatient, "/experiments"), "name": 'a "new" <question>', "description": "long\r\ntext"}
    with locked(settings):
        answer = impatient.post("/experiments", data=form, headers=PERSON)
    assert answer.status_code == 503
    assert answer.headers["content-type"].startswith("text/html")
    assert "Nothing was stored" in answer.text
    assert 'value="a &#34;new&#34; &lt;question&gt;"' in answer.text
    again = impatient.post("/experiments", data=form, headers=PERSON, follow_redirects=False)
    assert again.status_code == 303
    with database.reading() as session:
        assert [found.name for found in session.exec(select(Experiment))] == ['a "new" <question>']


def test_an_upload_is_refused_beside_its_form(impatient: TestClient, settings: Settings) -> None:
    fields = {"_token": token(impatient, "/datasets"), "name": "my pairs"}
    with locked(settings):
        file = b'{"instruction": "a", "response": "b"}\n'
        answer = impatient.post("/datasets", data=fields, files={"file": ("x.jsonl", file)}, headers=PERSON)
    assert answer.status_code == 503
    assert "another process holds its lock" in answer.text
    assert 'value="my pairs"' in answer.text
    assert list_of(settings.datasets_dir) == []


def test_a_pasted_table_is_refused_beside_its_form(impatient: TestClient, settings: Settings) -> None:
    typed = {"experiment": "theirs", "text": "| lora.r | perplexity |\n|---|---|\n| 4 | 20.5 |\n", "wish": "import"}
    typed |= {"_token": token(impatient, "/imports/new")}
    with locked(settings):
        files = {name: (None, text) for name, text in typed.items()}
        answer = impatient.post("/imports/new", files=files, headers=PERSON)
    assert answer.status_code == 503
    assert "another process holds its lock" in answer.text
    assert "| 4 | 20.5 |" in answer.text


def list_of(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*"))
