"""/estimates: what a run would take, before it is launched; nothing is stored."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BeforeValidator

from app.launch import forecast
from app.run_config import RunConfig
from app.web.api.bodies import Body, strictly
from app.web.api.documented import BODY, problems
from app.web.api.estimate_shapes import Estimate
from app.web.deps import Reading, SettingsDep

router = APIRouter(prefix="/estimates", tags=["runs"])


class Asked(Body):
    config: Annotated[RunConfig, BeforeValidator(strictly)]


@router.post("", response_model=Estimate, responses=problems(*BODY), summary="Forecast memory and time")
def estimate(body: Asked, session: Reading, settings: SettingsDep) -> dict[str, Any]:
    """From the base model's shape and from finished runs, with what it rests on and how far off it has been so far.

    A part is null where nothing can be said: no worker has been seen, the base model is not on this machine yet.
    """
    return forecast.to_api(forecast.forecast(session, settings, [body.config])[0])
