"""What the data folder takes on the disk, and what is left; what is on it for good, and what goes."""

import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from app.settings import Settings

# What the system says of a disk, or of a person's share of it, that has no room left.
FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class DiskUse:
    """In bytes."""

    runs: int
    datasets: int
    models: int
    other: int
    free: int

    @property
    def total(self) -> int:
        return self.runs + self.datasets + self.models + self.other


def disk_use(settings: Settings) -> DiskUse:
    """Asks for the size of every file: a few microseconds each, and a run leaves about ten."""
    runs, datasets = folder_size(settings.runs_dir), folder_size(settings.datasets_dir)
    models = folder_size(settings.downloads_dir)
    counted = {settings.runs_dir, settings.datasets_dir, settings.downloads_dir}
    other = sum(_size(entry) for entry in os.scandir(settings.data_dir) if Path(entry.path) not in counted)
    return DiskUse(runs, datasets, models, other, shutil.disk_usage(settings.data_dir).free)


def folder_size(folder: Path | str) -> int:
    """Bytes of all files below, links not followed; what vanishes meanwhile counts nothing."""
    try:
        with os.scandir(folder) as entries:
            return sum(_size(entry) for entry in entries)
    except FileNotFoundError:
        return 0


def sync(path: Path) -> None:
    """Have a file's content, or a folder's list of names, outlive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _size(entry: os.DirEntry[str]) -> int:
    if entry.is_dir(follow_symlinks=False):
        return folder_size(entry.path)
    try:
        return entry.stat(follow_symlinks=False).st_size
    except FileNotFoundError:
        return 0
