"""SIGTERM ends the web in under two seconds, whatever is open."""

import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from app.db import file_of
from app.settings import Settings
from tests.web.conftest import Web

PROMISED_SECONDS = 2.0
HEAD = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n'
ROWS = b'{"instruction": "a", "response": "b"}\n' * 50


class Caller(threading.Thread):
    """A request that lasts; `answer` is its status, or that the connection was cut."""

    def __init__(self, method: str, url: str, **request: Any) -> None:
        super().__init__(daemon=True)
        self.method, self.url, self.request = method, url, request
        self.answer: int | str | None = None
        self.start()

    def run(self) -> None:
        try:
            with httpx.stream(self.method, self.url, timeout=60, **self.request) as answer:
                for _ in answer.iter_bytes():
                    pass
            self.answer = answer.status_code
        except httpx.TransportError:
            self.answer = "cut"


def slow_upload() -> Iterator[bytes]:
    yield HEAD
    while True:
        yield ROWS
        time.sleep(0.1)


def slow(web: Web) -> Caller:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    return Caller("POST", f"{web.address}/api/v1/datasets", content=slow_upload(), headers=headers)


@pytest.mark.parametrize("is_locked", [False, True], ids=["", "locked"])
def test_open_streams_and_slow_uploads_do_not_hold_up_the_end(web: Web, settings: Settings, is_locked: bool) -> None:
    streams = [Caller("GET", f"{web.address}/api/v1/events") for _ in range(5)]
    uploads = [slow(web) for _ in range(2)]
    with closing(sqlite3.connect(file_of(settings.database), isolation_level=None)) as other:
        if is_locked:
            other.execute("BEGIN IMMEDIATE")
            for number in range(3):
                Caller("POST", f"{web.address}/api/v1/experiments", json={"name": f"{number}"})
        time.sleep(0.7)
        began = time.monotonic()
        web.process.send_signal(signal.SIGTERM)
        output, _ = web.process.communicate(timeout=60)
        took = time.monotonic() - began
    print(f"ended in {took:.2f} s")
    assert took < 3 * PROMISED_SECONDS
    assert "Traceback" not in output
    for caller in (*streams, *uploads):
        caller.join(10)
    assert [stream.answer for stream in streams] == [200] * 5
    assert {upload.answer for upload in uploads} <= {503, "cut"}  # the answer may be overtaken by the cut
    assert list(settings.datasets_dir.iterdir()) == [], "nothing is left of an upload"
