"""The base models of a group: their own figures, to stand under the runs that started from them."""

from dataclasses import dataclass

from sqlmodel import Session, col, func, select

from app.board.groups import Key, within
from app.board.wanted import Wanted
from app.models import ResultImport, Run

MOST = 5


@dataclass(frozen=True)
class BaseRow:
    baseline_key: str
    base_model: str
    quantization: str
    metrics: dict[str, float | None]


def bases(session: Session, wanted: Wanted, key: Key) -> list[BaseRow]:
    """The one with most runs first."""
    if key.import_id is not None:
        return _stated(session, key.import_id)
    newest = select(func.max(col(Run.id))).where(*wanted.completed, *within(key), col(Run.baseline_key).is_not(None))
    ids = session.exec(newest.group_by(col(Run.baseline_key)).order_by(func.count().desc()).limit(MOST)).all()
    found = (session.get(Run, run_id) for run_id in ids if run_id is not None)
    return [_base(run) for run in found if run and run.results and run.results.get("base")]


def _stated(session: Session, import_id: int) -> list[BaseRow]:
    """What an import says of its base."""
    found = session.get(ResultImport, import_id)
    if found is None or not found.base:
        return []
    return [BaseRow("", str(found.setup.get("base_model") or ""), "", dict(found.base))]


def _base(run: Run) -> BaseRow:
    model = run.config.get("model", {}).get("base_model", "")
    method = run.config.get("quantization", {}).get("method", "")
    return BaseRow(run.baseline_key or "", model, method, dict((run.results or {})["base"]))
