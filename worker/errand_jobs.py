"""The kinds of errand: what each needs from the database before its process starts, and what it may take."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from app.data import datasets, token_counts
from app.data.rows import ROWS_FILE
from app.errors import Invalid
from app.launch import base_models
from app.models import Errand
from app.settings import Settings
from worker import export_jobs, tryout_job

Prepare = Callable[[Session, Settings, Errand], dict[str, Any]]


@dataclass(frozen=True)
class Kind:
    """`prepare` adds paths to the request. One that needs the device waits for it, and holds up runs meanwhile.

    `seconds` is the most that it may take. One that takes long does not keep quick ones waiting, which people look at
    as they type. Only a kind with `hub_token` is given the hub's token.
    """

    prepare: Prepare
    seconds: float
    takes_long: bool = False
    needs_device: bool = False
    hub_token: bool = False


def _of_rows(session: Session, settings: Settings, errand: Errand) -> dict[str, Any]:
    """The files of a data set and of a base model that is on this machine."""
    dataset = datasets.get(session, errand.request["dataset"])
    assert dataset.id is not None
    located = base_models.resolve(settings, errand.request["model"], errand.request.get("revision"))
    if located.folder is None:
        raise Invalid.one(base_models.FIELD, f"'{located.name}' is not on this machine yet: its first run downloads it")
    return {"rows": str(settings.dataset_dir(dataset.id) / ROWS_FILE), "model_path": str(located.folder)}


def _of_counts(session: Session, settings: Settings, errand: Errand) -> dict[str, Any]:
    folder = settings.dataset_dir(errand.request["dataset"])
    counts = token_counts.path(folder, errand.request["version"])
    return _of_rows(session, settings, errand) | {"counts": str(counts)}


KINDS: dict[str, Kind] = {
    "preview": Kind(_of_rows, seconds=120),
    "lengths": Kind(_of_counts, seconds=3600, takes_long=True),
    "tryout": Kind(tryout_job.prepare, seconds=1800, needs_device=True),
    "merge": Kind(export_jobs.prepare_merge, seconds=4 * 3600, needs_device=True),
    "push": Kind(export_jobs.prepare_push, seconds=12 * 3600, hub_token=True),
}
HEAVY = frozenset(name for name, kind in KINDS.items() if kind.needs_device)
HUB = frozenset(name for name, kind in KINDS.items() if kind.hub_token) - HEAVY
LONG = frozenset(name for name, kind in KINDS.items() if kind.takes_long) - HEAVY - HUB
QUICK = frozenset(KINDS) - HEAVY - HUB - LONG
