"""The form that picks how rows are read: a base model on this machine, a prompt template, and a length."""

from dataclasses import dataclass, replace
from urllib.parse import urlencode

from sqlmodel import Session, col, select

from app.config_sections import DataConfig
from app.data.prompts import NAMES
from app.launch import base_models
from app.models import Run
from app.settings import Settings
from app.web.token_readings import Reading

DEFAULTS = DataConfig(dataset=1)  # whichever data set


@dataclass(frozen=True)
class Picker:
    """`reading` is what is picked now; None where there is no base model on this machine to pick."""

    models: list[str]
    templates: list[str]
    reading: Reading | None

    @property
    def query(self) -> str:
        """The same choice in the address of another page."""
        if self.reading is None:
            return ""
        chosen = {"model": self.reading.model, "template": self.reading.prompt_template}
        return urlencode(chosen | {"max_length": self.reading.max_length})


def picker(
    session: Session, settings: Settings, dataset_id: int, model: str, template: str, max_length: int | None
) -> Picker:
    """What was picked, else what the newest run on the data set was launched with."""
    known = [found.name for found in base_models.list_models(session, settings) if _is_here(settings, found)]
    newest = _of_newest_run(session, dataset_id)
    picked = model or (newest.model if newest and newest.model in known else next(iter(known), ""))
    if not picked:
        return Picker([], sorted(NAMES), None)
    reading = replace(newest, model=picked) if newest else Reading(picked)
    reading = replace(
        reading,
        revision=reading.revision if newest and picked == newest.model else None,
        prompt_template=template or reading.prompt_template,
        max_length=max_length or reading.max_length,
    )
    templates = dict.fromkeys([*sorted(NAMES), reading.prompt_template])
    return Picker(list(dict.fromkeys([*known, picked])), list(templates), reading)


def _is_here(settings: Settings, model: base_models.Description) -> bool:
    return model.files.problem is None and base_models.folder(settings, model.name) is not None


def _of_newest_run(session: Session, dataset_id: int) -> Reading | None:
    run = session.exec(select(Run).where(Run.dataset_id == dataset_id).order_by(col(Run.id).desc()).limit(1)).first()
    if run is None or "base_model" not in run.config.get("model", {}):
        return None
    model, data = run.config["model"], run.config.get("data", {})
    return Reading(
        model["base_model"],
        model.get("revision"),
        data.get("prompt_template", DEFAULTS.prompt_template),
        data.get("max_length", DEFAULTS.max_length),
    )
