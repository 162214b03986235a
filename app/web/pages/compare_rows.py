"""/compare/rows: reference, base and each run's answer to the same held-out rows, side by side."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from app.compare.chosen import parse_runs
from app.web.compare_rows import view
from app.web.compare_rows.query import RowsAddress
from app.web.deps import Reading, SettingsDep
from app.web.templating import page

router = APIRouter(prefix="/compare/rows", include_in_schema=False)


@router.get("")
def show(
    request: Request, session: Reading, settings: SettingsDep, runs: Annotated[list[str] | None, Query()] = None
) -> HTMLResponse:
    address = RowsAddress.read(tuple(parse_runs(runs or ())), request.query_params)
    return page(request, "compare/rows.html", **view.build(settings, address.find_rows(session, settings), address))
