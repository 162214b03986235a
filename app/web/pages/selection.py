"""What is done with the runs that are ticked in a table: compared, tagged, or deleted after one more question."""

from collections.abc import Sequence

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlmodel import Session, col, select
from starlette.datastructures import FormData

from app import ids, runs
from app.disk import folder_size
from app.errors import Invalid
from app.models import Experiment
from app.settings import Settings
from app.web.board_page.query import BoardQuery
from app.web.deps import SettingsDep, Writing
from app.web.security import PageForm
from app.web.templating import page

router = APIRouter(include_in_schema=False)


@router.post("/leaderboard/selection")
def change_selection(request: Request, session: Writing, settings: SettingsDep, form: PageForm) -> Response:
    """Deleting asks once more, on a page that names them."""
    chosen = _chosen(form)
    if not chosen:
        raise Invalid.one("run", "No run is selected: tick the box in front of a run first.")
    back = BoardQuery.read({name: str(value) for name, value in form.items()})
    wish = str(form.get("wish", ""))
    if wish == "compare":
        return RedirectResponse(_compare_link(chosen, back), status_code=303)
    if wish == "delete":
        return _ask_before_deleting(request, session, settings, chosen, back)
    if wish == "delete for good":
        runs.delete_runs(session, settings, chosen)
    else:
        tags = str(form.get("tags", "")).split(",")
        runs.tag_runs(session, chosen, **{"remove" if wish == "untag" else "add": tags})
    return RedirectResponse(back.link(cursor=back.cursor), status_code=303)


def _chosen(form: FormData) -> list[int]:
    """A row of several seeds stands for all of its runs."""
    texts = (text for value in form.getlist("run") for text in str(value).split())
    return list(dict.fromkeys(run_id for text in texts if (run_id := ids.parse(text)) is not None))


def _compare_link(chosen: Sequence[int], back: BoardQuery) -> str:
    """Beside the pinned run, if there is one."""
    pinned = [back.pinned] if back.pinned else []
    compared = list(dict.fromkeys([*pinned, *chosen]))
    if len(compared) < 2:
        raise Invalid.one("run", "One run alone compares with nothing: tick a second one, or pin a baseline first.")
    names = ",".join(map(str, compared))
    return f"/compare?runs={names}&baseline={pinned[0]}" if pinned else f"/compare?runs={names}"


def _ask_before_deleting(
    request: Request, session: Session, settings: Settings, run_ids: Sequence[int], back: BoardQuery
) -> HTMLResponse:
    chosen = [runs.get_run(session, run_id) for run_id in run_ids]
    size = sum(folder_size(settings.run_dir(run_id)) for run_id in run_ids)
    left_without = select(Experiment.name).where(col(Experiment.baseline_run_id).in_(run_ids))
    return page(
        request, "board/delete.html", runs=chosen, size=size, query=back, baseline_of=session.exec(left_without).all()
    )
