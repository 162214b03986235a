"""Folders that appear whole or not at all, and go at once: a crash at any moment leaves no half of one.

A name that begins with a dot and ends in .tmp is nobody's: what a killed process left, to be swept.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_folder(final: Path) -> Iterator[Path]:
    """Yields an empty folder that becomes `final`, in its place, when the block ends well, and goes when it does not.

    On disk before the rename: every file, then the folder's own entries; after it, the parent's.
    """
    parent = final.parent
    _make(parent)
    temporary = parent / f".{final.name}.tmp"
    _delete(temporary)
    temporary.mkdir()
    try:
        yield temporary
        for path in temporary.iterdir():
            sync(path)
        sync(temporary)
        remove(final)  # renaming onto a folder with files in it is refused
        temporary.rename(final)
        sync(parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove(folder: Path) -> None:
    """Gone at once, whatever happens meanwhile: half of it never stands under its name."""
    if folder.is_symlink() or folder.exists():
        doomed = folder.with_name(f".{folder.name}.old.tmp")
        _delete(doomed)
        folder.rename(doomed)
        _delete(doomed)


def sweep(folder: Path) -> None:
    """Remove what processes that were killed left in `folder`."""
    for left in folder.glob(".*.tmp"):
        _delete(left)


def _delete(path: Path) -> None:
    """A folder with all that is in it, or a file, or a link and not what it leads to."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Have the operating system write a file, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True)
        sync(folder.parent)
