"""What a try-out needs before its process starts: where the base is, and each side's settings and adapter."""

from typing import Any

from sqlmodel import Session

from app import runs
from app.models import Errand, Run
from app.settings import Settings
from worker import run_files


def prepare(session: Session, settings: Settings, errand: Errand) -> dict[str, Any]:
    asked = errand.request["sides"]
    of = {side["run"]: runs.get_run(session, side["run"]) for side in asked}
    return {
        "model_path": str(run_files.model_folder(settings, of[asked[0]["run"]])),
        "sides": [_side(settings, of[side["run"]], with_adapter=side["adapter"]) for side in asked],
    }


def _side(settings: Settings, run: Run, *, with_adapter: bool) -> dict[str, Any]:
    return {"config": run.config, "adapter": str(run_files.adapter(settings, run)) if with_adapter else None}
