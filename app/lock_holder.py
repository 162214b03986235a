"""Which process has a database locked: the kernel lists it, and a person wants to know whom to ask to let go."""

import os
from pathlib import Path

LOCKS = Path("/proc/locks")


def holder(database: Path) -> str | None:
    """`process 4242 (sqlite3)`; None where nobody holds it now, or the system does not tell.

    Read from the kernel's list and never by opening the file: closing it again would drop our own locks on it.
    """
    files = {_name(file) for file in (database, database.with_name(f"{database.name}-shm")) if file.exists()}
    lines = LOCKS.read_text(encoding="ascii").splitlines() if LOCKS.exists() else []
    for line in lines:
        fields = line.split()  # 12: POSIX ADVISORY WRITE 4242 fe:00:1234 120 120
        if len(fields) == 8 and fields[1] == "POSIX" and fields[3] == "WRITE" and fields[5] in files:
            return f"process {fields[4]} ({_command(fields[4])})"
    return None


def _name(file: Path) -> str:
    found = file.stat()
    return f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"


def _command(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "of another user or container"
