"""Trials of one promise, one after another in one house."""

import shutil
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.chaos import ledger
from tests.chaos.ledger import Entry
from tests.chaos.trial import Broken, Impossible, Promise, Seed, Trial

KEPT_FOLDERS = 20


def run(promise: Promise, numbers: Iterable[int], done: Callable[[Entry], None]) -> None:
    """Make the trials and hand each to `done`; ends after one that broke something, as its house is not to be trusted.

    Raises Impossible where this machine cannot try it.
    """
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    current, broken = 0, False
    try:
        with promise.open(folder) as trial:
            for current in numbers:
                entry = _one(promise, trial, current)
                done(entry)
                if broken := bool(entry.violations or entry.mistake):
                    break
    except Impossible:
        raise
    except Exception:  # noqa: BLE001 - a mistake of one promise's harness must not end the others' trials
        broken = True
        done(Entry(promise.name, current, mistake=traceback.format_exc(), commit=ledger.commit()))
    finally:
        if broken:
            keep(folder, f"{promise.name}-{current}")
        shutil.rmtree(folder, ignore_errors=True)


def _one(promise: Promise, trial: Trial, number: int) -> Entry:
    began = time.monotonic()
    known = {"promise": promise.name, "seed": number, "commit": ledger.commit()}
    try:
        outcome = trial(Seed(promise.name, number))
    except Broken as broken:
        return Entry(**known, violations=[str(broken)], seconds=time.monotonic() - began)
    return Entry(**known, **vars(outcome), seconds=time.monotonic() - began)


def keep(folder: Path, name: str) -> None:
    """The logs, rows and files of a house in which something broke, for whoever looks for the cause."""
    kept = ledger.FOLDER / "kept"
    kept.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(kept / name, ignore_errors=True)
    shutil.copytree(folder, kept / name, symlinks=True, ignore=_no_plain_file, dirs_exist_ok=True)
    for old in sorted(kept.iterdir(), key=lambda path: path.stat().st_mtime)[:-KEPT_FOLDERS]:
        shutil.rmtree(old)


def _no_plain_file(folder: str, names: list[str]) -> list[str]:
    """Sockets cannot be copied."""
    return [name for name in names if not (Path(folder) / name).is_file() and not (Path(folder) / name).is_dir()]
