"""Filters made at random find the same runs in SQL as when each run is looked at by plain Python."""

import operator
import random
from collections.abc import Callable
from typing import Any

import pytest
from sqlmodel import Session, select

from app.board.filter.grammar import parse
from app.board.filter.syntax import Comparison, Either, Every, Mention, Node, Not
from app.board.run_columns import values
from app.board.run_filter import ITS_EXPERIMENT, parse_filter
from app.board.run_list import list_runs
from app.db import Database
from app.models import Experiment, Run
from app.status import RunStatus
from tests.app.board.filter.random_filters import LISTS, made
from tests.stored_runs import add_completed, add_run, config

FILTERS = 300
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def holds(node: Node, run: Run, experiment: Experiment, row: dict[str, Any]) -> bool:
    match node:
        case Mention():
            texts = [run.name, run.notes, experiment.name, *run.tags]
            return any(node.text.lower() in text.lower() for text in texts)
        case Not():
            return not holds(node.of, run, experiment, row)
        case Every():
            return all(holds(part, run, experiment, row) for part in node.parts)
        case Either():
            return any(holds(part, run, experiment, row) for part in node.parts)
        case Comparison():
            return compared(node, row[node.column.name])


def compared(node: Comparison, value: Any) -> bool:
    if node.column.name in LISTS:
        return compared_list(node, value)
    value = None if value == "" else value
    if node.operator in ("in", "="):
        return any(value is other if other is None else value == other for other in node.values)
    if value is None:
        return False
    if node.operator in ("not in", "!="):
        return all(value != other for other in node.values)
    (other,) = node.values
    return str(other).lower() in value.lower() if node.operator == "~" else COMPARE[node.operator](value, other)


def compared_list(node: Comparison, value: Any) -> bool:
    items = [value] if isinstance(value, str) else value or []
    if node.operator == "~":
        return any(str(other).lower() in item.lower() for item in items for other in node.values)
    found = any(other in items if other is not None else not items for other in node.values)
    if node.operator in ("=", "in"):
        return found
    return not found and (bool(items) or node.column.name == "tags")


@pytest.fixture
def runs(database: Database) -> Database:
    chance = random.Random(1)
    for place in range(12):
        settings = {
            "lora__r": chance.choice((4, 8, 16)),
            "lora__use_dora": chance.random() < 0.5,
            "data__max_train_rows": chance.choice((None, 100)),
            "lora__target_modules": chance.choice(("all-linear", ["q_proj", "v_proj"])),
        }
        fields: dict[str, Any] = {
            "name": f"run {place}",
            "notes": chance.choice(("", "best so far", "keep 50%")),
            "tags": chance.choice(([], ["keep"], ["Keep", "odd"])),
            "experiment": chance.choice(("study", "Other")),
            "config": config(**settings) if place else {"lora": {"r": None, "target_modules": None}},
        }
        if place % 3:
            add_completed(database, chance.choice((None, 10.0, 11.5)), bleu=chance.choice((0.3, 0.4)), **fields)
        else:
            add_run(database, RunStatus.FAILED, **fields)
    return database


def test_random_filters_find_what_plain_python_finds(runs: Database) -> None:
    chance, sizes = random.Random(2), set()
    with runs.reading() as session:
        everything = session.exec(select(Run, Experiment).join(Experiment, ITS_EXPERIMENT)).all()
        for _ in range(FILTERS):
            said = made(chance)
            expected = by_hand(session, said, everything)
            assert {run.id for run, _ in list_runs(session, parse_filter(text=said)).items} == expected, said
            sizes.add(len(expected))
    assert len(sizes) > 8, "filters that find many different numbers of runs"


def by_hand(session: Session, said: str, everything: Any) -> set[int | None]:
    node = parse(said)
    assert node
    rows = values(session, everything, list(columns(node)))
    return {run.id for run, experiment in everything if holds(node, run, experiment, rows[run.id])}


def columns(node: Node) -> set[Any]:
    match node:
        case Comparison():
            return {node.column}
        case Not():
            return columns(node.of)
        case Every() | Either():
            return set().union(*map(columns, node.parts))
    return set()
