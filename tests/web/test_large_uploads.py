"""The web stays small and answers others while a large file is imported: a real server, a real file."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from app.settings import Settings

FILE_BYTES = 110_000_000
MOST_GROWTH = 25_000_000
ROW = b'{"instruction": "What is number %07d?", "response": "' + b"A longer answer with some words. " * 250 + b'"}\n'

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory from /proc")


def memory(pid: int, name: str) -> int:
    """VmRSS is now, VmHWM the most there ever was; in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0


@pytest.fixture
def server(settings: Settings) -> Iterator[tuple[int, str]]:
    """Process id and address of a web server of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"TUNEBOARD_DATA_DIR": str(settings.data_dir), "TUNEBOARD_PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-m", "app.web.server"], env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                httpx.get(f"{address}/healthz").raise_for_status()
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield process.pid, address
    finally:
        process.terminate()
        process.wait(10)


def form(boundary: bytes) -> Iterator[bytes]:
    """A form with a file of FILE_BYTES, a row at a time: the test stays small, too."""
    yield b"--" + boundary + b'\r\nContent-Disposition: form-data; name="file"; filename="big.jsonl"\r\n\r\n'
    size = number = 0
    while size < FILE_BYTES:
        row = ROW % number
        size, number = size + len(row), number + 1
        yield row
    yield b"\r\n--" + boundary + b"--\r\n"


def test_a_large_upload_neither_grows_nor_blocks_the_web(server: tuple[int, str]) -> None:
    pid, address = server
    headers = {"Content-Type": "multipart/form-data; boundary=cut"}
    httpx.post(f"{address}/api/v1/datasets", content=b"--cut--\r\n", headers=headers)  # what is loaded once, is
    before = memory(pid, "VmRSS")
    answers: list[httpx.Response] = []

    def upload() -> None:
        answers.append(httpx.post(f"{address}/api/v1/datasets", content=form(b"cut"), headers=headers, timeout=300))

    thread = threading.Thread(target=upload)
    thread.start()
    waits = []
    while thread.is_alive():
        started = time.monotonic()
        assert httpx.get(f"{address}/api/v1/datasets").status_code == 200
        waits.append(time.monotonic() - started)
        time.sleep(0.1)
    (answer,) = answers
    assert answer.status_code == 201, answer.text
    assert answer.json()["size_bytes"] >= FILE_BYTES
    assert memory(pid, "VmHWM") - before < MOST_GROWTH
    assert len(waits) >= 10  # others were answered meanwhile


def test_an_upload_that_breaks_off_leaves_nothing(server: tuple[int, str], settings: Settings) -> None:
    host, port = server[1].removeprefix("http://").split(":")
    head = f"POST /api/v1/datasets HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 90000000\r\n"
    head += "Content-Type: multipart/form-data; boundary=cut\r\n\r\n"
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode())
        for _, piece in zip(range(1000), form(b"cut"), strict=False):
            connection.sendall(piece)
        assert _within(5, lambda: any(settings.datasets_dir.glob("*/upload")))
    assert _within(5, lambda: not any(settings.datasets_dir.iterdir()))
    assert httpx.get(f"{server[1]}/api/v1/datasets").json()["total"] == 0


def _within(seconds: float, holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
