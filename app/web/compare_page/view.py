"""Everything that the templates of a comparison are given."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlmodel import Session, col, select

from app.board.comparability import describe
from app.compare.comparison import Comparison
from app.compare.names import listed, names, several
from app.models import Dataset
from app.web.compare_page.forest import best_first, forests, interval_text
from app.web.compare_page.query import CompareQuery
from app.web.compare_page.table import groups

# With more runs a row is a run, so that their names stay readable and the page no wider than its box.
MOST_COLUMNS = 12


def build(session: Session, comparison: Comparison, query: CompareQuery) -> dict[str, Any]:
    chosen, called = comparison.chosen, names(comparison.chosen.runs)
    by_id = {run.id: run for run in chosen.runs}
    turned = len(chosen.runs) > MOST_COLUMNS
    return {
        "comparison": comparison,
        "chosen": chosen,
        "query": query,
        "called": called,
        "slots": chosen.slots,
        "asked": describe(session, chosen.baseline) if chosen.baseline.results else "",
        "notes": list(_notes(comparison, called)),
        "interval_text": interval_text,
        "forests": forests(comparison, called),
        "tested": max(row.tested for row in comparison.metrics),
        "turned": turned,
        "runs": [by_id[run_id] for run_id in best_first(comparison)] if turned else chosen.runs,
        "groups": groups(comparison, _datasets(session, comparison), all=query.all),
        "differing": sum(row.differs for row in comparison.settings),
    }


def _datasets(session: Session, comparison: Comparison) -> dict[int, str]:
    ids = {run.dataset_id for run in comparison.chosen.runs if run.dataset_id}
    found = session.exec(select(Dataset.id, Dataset.name).where(col(Dataset.id).in_(ids)))
    return {dataset_id: name for dataset_id, name in found if dataset_id is not None}


def _notes(comparison: Comparison, called: Mapping[int, str]) -> Iterable[str]:
    """What the page leaves out, and why."""
    chosen = comparison.chosen
    for reason in dict.fromkeys(comparison.apart.values()):
        ids = [run_id for run_id, found in comparison.apart.items() if found == reason]
        some = any(run_id in row.deltas for row in comparison.metrics for run_id in ids)
        what = "not set against" if not some else "not in every metric set against"
        yield f"{several(ids, called)}: {what} {called[chosen.ids[0]]}, as {reason}."
    open_runs = [run.id or 0 for run in chosen.runs if not run.results]
    if open_runs:
        states = listed(list(dict.fromkeys(str(run.status) for run in chosen.runs if not run.results)))
        yield f"{several(open_runs, called)} {'has' if len(open_runs) == 1 else 'have'} no result: {states}."
    if chosen.missing:
        gone = listed([str(run_id) for run_id in chosen.missing[:5]])
        yield f"{'Run' if len(chosen.missing) == 1 else 'Runs'} {gone}: not there any more, and left out."
