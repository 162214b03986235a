"""The base models of rows: their own figures, to stand under the runs that started from them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session

from app.models import ResultImport, Run

MOST = 5


@dataclass(frozen=True)
class BaseRow:
    baseline_key: str
    base_model: str
    quantization: str
    metrics: dict[str, float | None]


def bases(session: Session, import_id: int | None, runs: Sequence[Run]) -> list[BaseRow]:
    """Of the runs on a page, the base of most of them first; of an import, what it states."""
    if import_id is not None:
        return _stated(session, import_id)
    measured = {run.baseline_key: run for run in runs if run.baseline_key and (run.results or {}).get("base")}
    common = Counter(run.baseline_key for run in runs if run.baseline_key in measured)
    return [_base(measured[key]) for key, _ in common.most_common(MOST)]


def _stated(session: Session, import_id: int) -> list[BaseRow]:
    found = session.get(ResultImport, import_id)
    if found is None or not found.base:
        return []
    return [BaseRow("", str(found.setup.get("base_model") or ""), "", dict(found.base))]


def _base(run: Run) -> BaseRow:
    model = run.config.get("model", {}).get("base_model", "")
    method = run.config.get("quantization", {}).get("method", "")
    return BaseRow(run.baseline_key or "", model, method, dict((run.results or {})["base"]))
