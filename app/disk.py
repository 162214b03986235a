"""What the data folder takes on the disk, and what is left."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from app.settings import Settings


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
    """Walks the data folder: cheap for thousands of runs, whose few files each are listed and not read."""
    runs, datasets = folder_size(settings.runs_dir), folder_size(settings.datasets_dir)
    models = folder_size(settings.downloads_dir)
    total = folder_size(settings.data_dir)
    free = shutil.disk_usage(settings.data_dir).free
    return DiskUse(runs, datasets, models, max(0, total - runs - datasets - models), free)


def folder_size(folder: Path) -> int:
    """Bytes of all files below; what vanishes meanwhile counts nothing."""
    size = 0
    for path, _, files in os.walk(folder):
        for name in files:
            try:
                size += os.lstat(os.path.join(path, name)).st_size
            except FileNotFoundError:
                continue
    return size
