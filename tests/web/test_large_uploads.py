"""The web stays small and answers others while a large file is imported: a real server, a real file."""

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from app.settings import Settings
from tests.web.large_upload import Upload, body, upload
from tests.web.process import Web, web

FILE_BYTES = 110_000_000
MOST_GROWTH = 25_000_000

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory from /proc")


@pytest.fixture
def server(settings: Settings, tmp_path: Path) -> Iterator[Web]:
    with web(settings.data_dir, tmp_path / "web.log") as process:
        yield process


def test_a_large_upload_neither_grows_nor_blocks_the_web(server: Web) -> None:
    made = upload(server, FILE_BYTES)
    assert made.answer is not None
    assert made.answer.status_code == 201, made.answer.text
    stored = made.answer.json()
    assert (stored["size_bytes"], stored["rows"], stored["sha256"]) == (made.size, made.rows, made.sha256)
    assert made.growth < MOST_GROWTH
    assert len(made.waits) >= 10  # others were answered meanwhile


def test_an_upload_that_breaks_off_leaves_nothing(server: Web, settings: Settings) -> None:
    host, port = server.host
    head = f"POST /api/v1/datasets HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 90000000\r\n"
    head += "Content-Type: multipart/form-data; boundary=cut\r\n\r\n"
    with socket.create_connection((host, port)) as connection:
        connection.sendall(head.encode())
        for _, piece in zip(range(30), body(FILE_BYTES, 8000, Upload()), strict=False):
            connection.sendall(piece)
        assert _within(5, lambda: any(settings.datasets_dir.glob("*/upload")))
    assert _within(5, lambda: not any(settings.datasets_dir.iterdir()))
    assert httpx.get(f"{server.address}/api/v1/datasets").json()["total"] == 0


def _within(seconds: float, holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
