"""/tryouts: a prompt answered by a base model and by adapters of it, side by side."""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import Field

from app import errands, tryouts
from app.generation import Generation
from app.tryouts import LONGEST_PROMPT, MOST_RUNS, Wanted
from app.web.api.bodies import Body, RowId
from app.web.api.documented import BODY, problems
from app.web.api.errands import Errand
from app.web.deps import SettingsDep, Writing

router = APIRouter(prefix="/tryouts", tags=["try-outs"])

Text = Annotated[str, Field(max_length=LONGEST_PROMPT)]


class Tryout(Body):
    runs: Annotated[list[RowId], Field(min_length=1, max_length=MOST_RUNS, description="All of one base model.")]
    prompt: Text = ""
    input: Annotated[Text, Field(description="For data sets whose rows have an input beside their instruction.")] = ""
    row: Annotated[
        int | None, Field(ge=0, le=2**31, description="Of the first run's data set, in the prompt's place.")
    ] = None
    settings: Generation = Generation()


@router.post("", status_code=202, response_model=Errand, responses=problems(*BODY), summary="Try out runs")
def ask(body: Tryout, session: Writing, settings: SettingsDep, response: Response) -> dict[str, Any]:
    """A worker answers when no run trains on it: ask `/errands/{id}` what is there by now, and why it waits.

    `request.sides` names who answers, `answer.answers` has what each said so far.
    """
    errand = tryouts.ask(session, settings, Wanted(**{name: getattr(body, name) for name in type(body).model_fields}))
    response.headers["Location"] = f"/api/v1/errands/{errand.id}"
    return errands.to_api(errand)
