"""What a finished run's errands need of it on this machine: its base model, its rows, its adapter."""

from pathlib import Path

from app import artifacts
from app.errors import Invalid
from app.launch import base_models
from app.models import Run
from app.settings import Settings
from app.tryouts import ADAPTER, base_of


def model_folder(settings: Settings, run: Run) -> Path:
    """Of a hub's model the very state that the run was trained on."""
    name, state = base_of(run)
    located = base_models.resolve(settings, name, state)
    if located.folder is None:
        raise Invalid.one(base_models.FIELD, f"'{name}' as run {run.id} had it is no longer on this machine")
    return located.folder


def adapter(settings: Settings, run: Run) -> Path:
    return artifacts.find_artifact(settings, run.id or 0, ADAPTER)[1]
