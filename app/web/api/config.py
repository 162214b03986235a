"""/config/schema: what a run can be told, for forms of other programs."""

from typing import Any

from fastapi import APIRouter

from app.launch.presets import PRESETS
from app.run_config import RunConfig, nest

router = APIRouter(prefix="/config", tags=["configuration"])


@router.get("/schema", summary="Show the schema of a configuration")
def schema() -> dict[str, Any]:
    """The JSON schema of RunConfig. Beside each field its `label`, `unit` and limits; `description` is its help."""
    presets = [
        {"name": preset.name, "label": preset.label, "help": preset.help, "config": nest(preset.values)}
        for preset in PRESETS
    ]
    return RunConfig.model_json_schema() | {"presets": presets}
