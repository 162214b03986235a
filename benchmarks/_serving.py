"""A web process of its own, and what its answers cost: seconds on the clock, its own CPU, bytes as sent."""

import gzip
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import psutil

from app.settings import ROOT, Settings


@dataclass(frozen=True)
class Cost:
    """Medians over the calls; CPU is the server's own, all its threads, over all of them."""

    seconds: float
    cpu_seconds: float
    bytes: int

    def __str__(self) -> str:
        return f"{self.seconds * 1000:.0f} ms, CPU {self.cpu_seconds * 1000:.0f} ms, {self.bytes / 1000:.0f} kB"


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen[bytes]
    client: httpx.Client
    start_seconds: float

    @property
    def address(self) -> str:
        return str(self.client.base_url).rstrip("/")

    @property
    def processes(self) -> list[psutil.Process]:
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]

    def memory(self) -> float:
        """Resident, in MB, of all its processes."""
        return sum(process.memory_info().rss for process in self.processes) / 1e6

    def cpu(self) -> float:
        """Seconds that it has computed so far, in all its processes."""
        return sum(sum(process.cpu_times()[:2]) for process in self.processes)

    def ask(self, path: str, repeats: int, body: object = None) -> Cost:
        """A GET, or a POST of a body. The first answer does not count: caches fill, modules load."""
        self._once(path, body)
        began, asked = self.cpu(), [self._once(path, body) for _ in range(repeats)]
        return Cost(statistics.median(seconds for seconds, _ in asked), (self.cpu() - began) / repeats, asked[-1][1])

    def _once(self, path: str, body: object) -> tuple[float, int]:
        began = time.perf_counter()
        method = "GET" if body is None else "POST"
        with self.client.stream(method, path, json=body) as answer:
            size = sum(map(len, answer.iter_raw()))
        answer.raise_for_status()
        return time.perf_counter() - began, size


@contextmanager
def serving(settings: Settings) -> Iterator[Server]:
    """Our own, on a free port; gone afterwards."""
    port = free_port()
    environment = {"TUNEBOARD_DATA_DIR": str(settings.data_dir), "TUNEBOARD_PORT": str(port)}
    with started([sys.executable, "-m", "app.web.server"], port, environment) as server:
        yield server


@contextmanager
def started(
    command: Sequence[str], port: int, environment: Mapping[str, str], ready: str = "/healthz"
) -> Iterator[Server]:
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        headers = {"accept": "text/html, application/json", "accept-encoding": "gzip"}
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=120) as client:
            wait(client, process, ready)
            yield Server(process, client, time.perf_counter() - began)
    finally:
        process.terminate()
        process.wait()


def wait(client: httpx.Client, process: subprocess.Popen[bytes], path: str) -> None:
    while process.poll() is None:
        try:
            client.get(path).raise_for_status()
        except (httpx.TransportError, httpx.HTTPStatusError):
            time.sleep(0.01)
        else:
            return
    raise SystemExit("the server did not start")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def packed(client: httpx.Client, path: str) -> int:
    """Bytes of a file as a browser would get it."""
    content = client.get(path).raise_for_status().content
    return len(gzip.compress(content))
