"""The clock and the disk that a trial rules over: shim.c, built with the machine's C compiler at first use.

shim = Shim(folder)
with House(folder, environment=shim.environment) as house:
    shim.set_clock(3600)            # for every process of the house: it is an hour later
    shim.fill("*/checkpoints/*", 3) # the third write there, and all after it, find no room
    shim.free()
"""

import hashlib
import shutil
import struct
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from tests.chaos.trial import Impossible

SOURCE = Path(__file__).with_name("shim.c")
STATE = struct.Struct("=qqqq256s")
CLOCK, FIRST, LAST, COUNT, PATTERN = 0, 8, 16, 24, 32
NUMBER = struct.Struct("=q")
FOR_EVER = 2**62


class Shim:
    """One file that all processes with this environment map."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "shim.state"
        self._file.write_bytes(STATE.pack(0, 0, 0, 0, b""))
        self.environment = {"LD_PRELOAD": str(library()), "CHAOS_SHIM": str(self._file)}

    def set_clock(self, seconds: float) -> None:
        """How far the time of day is from the real one, from now on; monotonic clocks go on as they do."""
        self._put(CLOCK, NUMBER.pack(round(seconds * 1e9)))

    def fill(self, pattern: str, first: int = 1, last: int = FOR_EVER) -> None:
        """From the `first` to the `last` write (fsync, new file, ...) to files whose path matches: no space left."""
        self._put(FIRST, NUMBER.pack(0))
        self._put(LAST, NUMBER.pack(last) + NUMBER.pack(0) + pattern.encode().ljust(256, b"\0"))
        self._put(FIRST, NUMBER.pack(first))

    def free(self) -> None:
        """There is room again."""
        self._put(FIRST, NUMBER.pack(0))

    @property
    def count(self) -> int:
        """How many such writes there were since `fill`."""
        found: tuple[int] = NUMBER.unpack_from(self._file.read_bytes(), COUNT)
        return found[0]

    def _put(self, place: int, value: bytes) -> None:
        with self._file.open("r+b") as file:
            file.seek(place)
            file.write(value)


@cache
def library() -> Path:
    """The built library, in the machine's temporary folder under the hash of its source."""
    if sys.platform != "linux":
        raise Impossible("LD_PRELOAD is Linux's")
    compiler = shutil.which("cc")
    if compiler is None:
        raise Impossible("there is no C compiler (apt-get install gcc libc6-dev)")
    name = f"tb-shim-{hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]}.so"
    built = Path(tempfile.gettempdir()) / name
    if not built.exists():
        with tempfile.TemporaryDirectory() as folder:
            new = Path(folder) / name
            flags = ["-shared", "-fPIC", "-O2", "-Wall", "-Wextra"]
            subprocess.run([compiler, *flags, "-o", str(new), str(SOURCE), "-ldl"], check=True)
            shutil.move(new, built)
    return built
