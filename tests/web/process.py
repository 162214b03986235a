"""A web process as people run it, on a folder of the test's own: a real server, a real SQLite file, its broker away."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

NO_BROKER = "redis://127.0.0.1:1/0"


@dataclass(frozen=True)
class Web:
    """`log` is what it says on stderr: nothing but warnings, and the traceback of every fault."""

    pid: int
    address: str
    log: Path
    data_dir: Path

    @property
    def host(self) -> tuple[str, int]:
        name, _, port = self.address.removeprefix("http://").partition(":")
        return name, int(port)

    def faults(self) -> list[str]:
        """The exceptions in its log, without their tracebacks."""
        lines = self.log.read_text(errors="replace").splitlines()
        after = [i for i, line in enumerate(lines) if line.startswith("Traceback")]
        return [next((line for line in lines[i + 1 :] if not line.startswith((" ", "\t"))), "") for i in after]

    def memory(self, name: str) -> int:
        """VmRSS is now, VmHWM the most there ever was; in bytes."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
        raise LookupError(name)


@contextmanager
def web(data_dir: Path, log: Path, environment: Mapping[str, str] | None = None) -> Iterator[Web]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = {"TUNEBOARD_DATA_DIR": str(data_dir), "TUNEBOARD_PORT": str(port), "TUNEBOARD_REDIS_URL": NO_BROKER}
    with log.open("ab") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.web.server"], env=os.environ | own | dict(environment or {}), stderr=stderr
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(address, process)
        yield Web(process.pid, address, log, data_dir)
    finally:
        process.terminate()
        process.wait(20)


def _wait(address: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            httpx.get(f"{address}/healthz").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"the web process did not come up (exit code {process.poll()})")
