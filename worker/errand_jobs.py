"""The kinds of errand: what each needs from the database before its process starts, and what it may take."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from app.data import datasets
from app.data.rows import ROWS_FILE
from app.errors import Invalid
from app.launch import base_models
from app.models import Errand
from app.settings import Settings
from worker import tryout_job

Prepare = Callable[[Session, Settings, Errand], dict[str, Any]]


@dataclass(frozen=True)
class Kind:
    """`prepare` adds paths to the request. One that needs the device waits for it, and holds up runs meanwhile.

    `seconds` is the most that it may take; only a kind with `hub_token` is given the hub's token.
    """

    prepare: Prepare
    seconds: float
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


KINDS: dict[str, Kind] = {
    "preview": Kind(_of_rows, seconds=120),
    "tryout": Kind(tryout_job.prepare, seconds=1800, needs_device=True),
}
LIGHT = frozenset(name for name, kind in KINDS.items() if not kind.needs_device)
HEAVY = frozenset(KINDS) - LIGHT
