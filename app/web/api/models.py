"""/models: base models to pick from."""

from typing import Any

from fastapi import APIRouter

from app.launch import base_models
from app.web.api.dataset_shapes import BaseModel
from app.web.api.shapes import Listed
from app.web.deps import Reading, SettingsDep

router = APIRouter(prefix="/models", tags=["models"])


@router.get("", response_model=Listed[BaseModel])
def list_all(session: Reading, settings: SettingsDep) -> dict[str, Any]:
    """The sample, folders under the allowed ones, and hub ids: the default and those that runs used."""
    items = [base_models.to_api(model) for model in base_models.list_models(session, settings)]
    return {"items": items, "next_cursor": None, "total": len(items)}
