"""An upload too large for anybody's memory: made a row at a time, sent while the web process is watched."""

import hashlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx

from tests.web.process import Web

HEADERS = {"Content-Type": "multipart/form-data; boundary=cut"}
HEAD = b'--cut\r\nContent-Disposition: form-data; name="file"; filename="big.jsonl"\r\n\r\n'
TAIL = b"\r\n--cut--\r\n"
ROW = b'{"instruction": "What is number %07d?", "response": "'
WORDS = b"A longer answer with some words. "
BLOCK = 1 << 18  # bytes handed over at a time


@dataclass
class Upload:
    """What was sent, what came back, and how the web was meanwhile: its growth in bytes, others' waits in seconds."""

    rows: int = 0
    size: int = 0
    sha256: str = ""
    answer: httpx.Response | None = None
    growth: int = 0
    waits: list[float] = field(default_factory=list)


def body(least: int, row_bytes: int, made: Upload) -> Iterator[bytes]:
    """A form with a file of at least so many bytes; `made` is told what was in it."""
    words = WORDS * (1 + row_bytes // len(WORDS)) + b'"}\n'
    digest, block = hashlib.sha256(), b""
    yield HEAD
    while made.size < least:
        row = ROW % made.rows + words
        made.size, made.rows, block = made.size + len(row), made.rows + 1, block + row
        if len(block) >= BLOCK or made.size >= least:
            digest.update(block)
            yield block
            block = b""
    made.sha256 = digest.hexdigest()
    yield TAIL


def upload(web: Web, least: int, row_bytes: int = 8000, timeout: float = 300) -> Upload:
    """Send it, and ask for something else ten times a second while it is received and imported."""
    made, address = Upload(), f"{web.address}/api/v1/datasets"
    httpx.post(address, content=TAIL[2:], headers=HEADERS)  # what is loaded once, is
    before = web.memory("VmRSS")

    def send() -> None:
        made.answer = httpx.post(address, content=body(least, row_bytes, made), headers=HEADERS, timeout=timeout)

    thread = threading.Thread(target=send)
    thread.start()
    while thread.is_alive():
        started = time.monotonic()
        httpx.get(address, timeout=30).raise_for_status()
        made.waits.append(time.monotonic() - started)
        time.sleep(0.1)
    made.growth = web.memory("VmHWM") - before
    return made
