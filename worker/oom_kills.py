"""How many processes the kernel has killed for want of memory: it tells nobody else why a SIGKILL came."""

from pathlib import Path

SYSTEM = Path("/")


def oom_kills(root: Path = SYSTEM) -> int | None:
    """The counter of this process's memory cgroup, of either version; else the machine's; None where there is none.

    It only ever grows. Higher after a child's SIGKILL than just before: the kernel did it.
    """
    for path in (*_cgroup_files(root), root / "proc/vmstat"):
        if (found := _counter(path)) is not None:
            return found
    return None


def _cgroup_files(root: Path) -> list[Path]:
    """Where the counter may lie. In a container the path that /proc names often is the host's, and the mount ours."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    files: list[Path] = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            files += [root / "sys/fs/cgroup" / part / "memory.events" for part in (path.strip("/"), "")]
        elif controllers == "memory":
            files += [root / "sys/fs/cgroup/memory" / part / "memory.oom_control" for part in (path.strip("/"), "")]
    return files


def _counter(path: Path) -> int | None:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)
