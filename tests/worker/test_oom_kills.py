"""The kernel's count of processes killed for want of memory, as cgroups of both versions and the machine tell it."""

from pathlib import Path

import pytest

from worker.oom_kills import oom_kills


def system(root: Path, cgroup: str, files: dict[str, str]) -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(cgroup)
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


EVENTS = "low 0\nhigh 3\nmax 9\noom 2\noom_kill 2\noom_group_kill 7\n"
CONTROL = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"
MACHINE = "nr_free_pages 9\noom_kill 4\n"


@pytest.mark.parametrize(
    ("cgroup", "files", "count"),
    [
        ("0::/user/a\n", {"sys/fs/cgroup/user/a/memory.events": EVENTS, "proc/vmstat": MACHINE}, 2),
        ("0::/on/the/host\n", {"sys/fs/cgroup/memory.events": EVENTS}, 2),
        ("4:memory:/a\n0::/\n", {"sys/fs/cgroup/memory/a/memory.oom_control": CONTROL}, 3),
        ("0::/\n", {"proc/vmstat": MACHINE}, 4),
        ("0::/\n", {}, None),
    ],
)
def test_the_nearest_counter_is_read(tmp_path: Path, cgroup: str, files: dict[str, str], count: int | None) -> None:
    assert oom_kills(system(tmp_path, cgroup, files)) == count


def test_where_nothing_is_known_nothing_is_said(tmp_path: Path) -> None:
    assert oom_kills(tmp_path) is None
