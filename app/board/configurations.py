"""The rows of a table of configurations: all of a group, as means are compared that no index knows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, func, select

from app.board.groups import Key, within
from app.board.replicates import IDENTITY, sql_mean
from app.board.run_columns import RUN_ID
from app.board.wanted import Wanted
from app.listing import Order
from app.models import Run


@dataclass(frozen=True)
class Configuration:
    """`ids` of its runs, the first one first; `means` by compared column."""

    ids: Sequence[int]
    perplexity_key: str | None
    means: Mapping[str, float | None]


def in_order(session: Session, wanted: Wanted, key: Key) -> list[Configuration]:
    first = func.min(RUN_ID)
    by = first if wanted.by.name == "id" else sql_mean(wanted.by)
    means = {column: sql_mean(column) for column in wanted.compared}
    labelled = [mean.label(f"mean_{place}") for place, mean in enumerate(means.values())]
    if wanted.by in means:  # sorted by what is computed already
        by = labelled[list(means).index(wanted.by)]
    grouped = select(func.json_group_array(col(Run.id)), col(Run.perplexity_key), *labelled)
    grouped = grouped.where(*wanted.completed, *within(key)).group_by(*IDENTITY)
    rows = session.execute(grouped.order_by(*Order(wanted.sort, by, first, wanted.descending).clauses()))
    names = [column.name for column in means]
    return [
        Configuration(sorted(json.loads(ids)), scope, dict(zip(names, found, strict=True)))
        for ids, scope, *found in rows
    ]
