"""What a finished run is made into for use elsewhere: one merged model on this disk, and a copy on a hub."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from sqlmodel import Session, col, select

from app import artifacts, errands, runs
from app.artifacts import MANIFEST, RESCORED, Artifact
from app.db import iso
from app.errors import Conflict, Invalid, NotFound
from app.folders import remove
from app.models import Errand, Run
from app.settings import Settings
from app.status import RunStatus
from app.tryouts import has_adapter

MERGE, PUSH = "merge", "push"
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)

What = Literal["adapter", "merged"]
Json = dict[str, Any]


@dataclass(frozen=True)
class Merged:
    """A merged model: its files, the type of its weights, and what measuring it again came to."""

    made_at: datetime
    dtype: str
    rescored: Mapping[str, Any]
    files: list[Artifact]

    @property
    def size_bytes(self) -> int:
        return sum(item.size_bytes for item in self.files)


def folder(settings: Settings, run_id: int) -> Path:
    return settings.run_dir(run_id) / "exports" / "merged"


def find_merged(settings: Settings, run_id: int) -> Merged | None:
    place = folder(settings, run_id)
    files = artifacts.files_in(place)
    if not files:
        return None
    scored: Json = json.loads((place / RESCORED).read_text(encoding="utf-8"))
    made_at = datetime.fromtimestamp((place / MANIFEST).stat().st_mtime, UTC)
    return Merged(made_at, scored.pop("dtype"), scored, files)


def find_file(settings: Settings, run_id: int, name: str) -> tuple[Artifact, Path]:
    for item in artifacts.files_in(folder(settings, run_id)):
        if item.name == name:
            return item, folder(settings, run_id) / name
    raise NotFound(f"Run {run_id} has no merged model with a file {name}.")


def ask_merged(session: Session, settings: Settings, run_id: int) -> Errand:
    """Have a worker merge the adapter into its base; the one that is being made already, where there is one."""
    run = _finished(session, settings, run_id)
    if known := under_way(session, run_id, MERGE):
        return known
    errands.need_worker(session)
    return errands.ask(session, MERGE, {}, run_id=run.id)


def ask_push(
    session: Session, settings: Settings, run_id: int, *, what: What, repository: str, private: bool = True
) -> Errand:
    """Have a worker copy it to a hub, with the hub's token that the worker alone has."""
    run = _finished(session, settings, run_id)
    if not REPOSITORY.fullmatch(repository):
        raise Invalid.one("repository", "Give owner/name, as the hub will show it")
    if what == "merged" and find_merged(settings, run_id) is None:
        raise Conflict(f"Run {run_id} has no merged model yet: merge it first.")
    if known := under_way(session, run_id, PUSH):
        return known
    errands.need_worker(session)
    return errands.ask(session, PUSH, {"what": what, "repository": repository, "private": private}, run_id=run.id)


def _finished(session: Session, settings: Settings, run_id: int) -> Run:
    run = runs.get_run(session, run_id)
    if run.status != RunStatus.COMPLETED or not has_adapter(settings, run):
        raise Conflict(f"Run {run_id} has no finished adapter to make anything of.")
    return run


def under_way(session: Session, run_id: int, kind: str) -> Errand | None:
    """The errand of this kind that waits or is being done."""
    found = latest(session, run_id, kind)
    return found if found and found.status in errands.OPEN else None


def latest(session: Session, run_id: int, kind: str) -> Errand | None:
    of_run = select(Errand).where(col(Errand.run_id) == run_id, col(Errand.kind) == kind)
    return session.exec(of_run.order_by(col(Errand.id).desc()).limit(1)).first()


def delete_merged(session: Session, settings: Settings, run_id: int) -> None:
    """Remove the merged model; the run keeps its adapter, from which it can be made again."""
    runs.get_run(session, run_id)
    if under_way(session, run_id, PUSH) or under_way(session, run_id, MERGE):
        raise Conflict("It is being made or copied right now: cancel that first, or wait for its end.")
    if find_merged(settings, run_id) is None:
        raise NotFound(f"Run {run_id} has no merged model.")
    remove(folder(settings, run_id))


def to_api(merged: Merged) -> Json:
    return {
        "kind": "merged",
        "made_at": iso(merged.made_at),
        "dtype": merged.dtype,
        "size_bytes": merged.size_bytes,
        "rescored": merged.rescored,
        "files": [vars(item) for item in merged.files],
    }
