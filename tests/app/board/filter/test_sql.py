"""Which runs a filter finds in a database."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.board.run_filter import parse_filter
from app.board.run_list import list_runs
from app.db import Database, now
from app.models import RunValue
from app.status import RunStatus
from tests.stored_runs import add_completed, add_run, config

DAY = datetime(2026, 1, 31, 12, 30, 15, 500, tzinfo=UTC)


@pytest.fixture
def runs(database: Database) -> Database:
    """Three finished runs, one that failed without a result, and one from elsewhere with hardly a setting."""
    large = {"device": "GPU", "train_seconds": 5400.0, "peak_memory_bytes": 4_200_000_000}
    add_completed(database, 18.0, name="one", tags=["keep", "50%"], resources=large, created_at=DAY)
    settings = config(lora__r=16, lora__use_dora=True, lora__target_modules=["q_proj", "v_proj"])
    add_completed(database, 22.0, name="two", notes="the best so far", config=settings, created_at=DAY)
    settings = config(training__gradient_checkpointing=True, data__max_train_rows=100)
    add_completed(database, 30.0, name="three", tags=["odd"], config=settings, experiment="Other", created_at=now())
    add_run(database, RunStatus.FAILED, name="four", created_at=now() - timedelta(hours=2))
    add_run(database, RunStatus.COMPLETED, name="five", origin="imported", config={"lora": {"r": None}}, created_at=DAY)
    with database.writing() as session:
        session.merge(RunValue(run_id=3, name="eval/perplexity", last=30.0, best=17.0))
        session.commit()
    return database


def found(database: Database, text: str) -> set[str]:
    with database.reading() as session:
        page = list_runs(session, parse_filter(text=text))
        assert page.total == len(page.items)
        return {run.name for run, _ in page.items}


ALL = {"one", "two", "three", "four", "five"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ALL),
        ("lora.r = 8", {"one", "three", "four"}),
        ("lora.r != 8", {"two"}),
        ("lora.r in (4, 16)", {"two"}),
        ("lora.r not in (4, 16)", {"one", "three", "four"}),
        ("not lora.r = 8", {"two", "five"}),
        ("not (lora.r = 8 or lora.r = 16)", {"five"}),
        ("not (lora.r = 8 and perplexity > 20)", {"one", "two", "four", "five"}),
        ("lora.r = null", {"five"}),
        ("lora.r != null", ALL - {"five"}),
        ("lora.r in (16, null)", {"two", "five"}),
        ("lora.r in (8, 16) and (eval/perplexity < 20 or tags = odd)", {"one", "three"}),
        ("perplexity >= 18 perplexity <= 22", {"one", "two"}),
        ("perplexity:best < 18", {"three"}),
        ("perplexity = null", {"four", "five"}),
        ("tags = keep", {"one"}),
        ('tags = "50%"', {"one"}),
        ("tags = Keep", set()),
        ("tags ~ EE", {"one"}),
        ("tags ~ %", {"one"}),
        ("tags != keep", ALL - {"one"}),
        ("tags in (odd, keep)", {"one", "three"}),
        ("tags not in (odd, keep)", {"two", "four", "five"}),
        ("tags = null", {"two", "four", "five"}),
        ("tags != null", {"one", "three"}),
        ("tags in (odd, null)", ALL - {"one"}),
        ("lora.target_modules = q_proj", {"two"}),
        ("lora.target_modules ~ proj", {"two"}),
        ("lora.target_modules = all-linear", {"one", "three", "four"}),
        ("lora.target_modules != q_proj", {"one", "three", "four"}),
        ("lora.target_modules = null", {"five"}),
        ("lora.use_dora = true", {"two"}),
        ("lora.use_dora != true", {"one", "three", "four"}),
        ("training.gradient_checkpointing = true", {"three"}),
        ("training.gradient_checkpointing in (true, auto)", ALL - {"five"}),
        ("data.max_train_rows = null", ALL - {"three"}),
        ("training.learning_rate = 2e-4", ALL - {"five"}),
        ("status = failed", {"four"}),
        ("status in (failed, cancelled)", {"four"}),
        ("status ~ fail", {"four"}),
        ("name = two", {"two"}),
        ("name ~ T", {"two", "three"}),
        ("experiment = Other", {"three"}),
        ("notes = null", ALL - {"two"}),
        ("notes ~ best", {"two"}),
        ("id in (1, 2)", {"one", "two"}),
        ("id = 99999999999999999999", set()),
        ("train_seconds = 90 min", {"one"}),
        ("peak_memory_bytes > 4GB", {"one"}),
        ("device = GPU", {"one"}),
        ("created_at = 2026-01-31", {"one", "two", "five"}),
        ("created_at = 2026-01-31 12:30", {"one", "two", "five"}),
        ("created_at = 2026-01-31T12:30:15Z", {"one", "two", "five"}),
        ("created_at = 2026-01-31 12:31", set()),
        ("created_at > 2026-01-31", {"three", "four"}),
        ("created_at >= 2026-01-31", ALL),
        ("created_at < 2026-01-31", set()),
        ("created_at <= 2026-01-31", {"one", "two", "five"}),
        ("created_at != 2026-01-31", {"three", "four"}),
        ("created_at > 1h ago", {"three"}),
        ("created_at > 3 hours ago", {"three", "four"}),
        ("started_at = null", ALL),
        ("best", {"two"}),
        ("odd OTHER", {"three"}),
        ("keep or best", {"one", "two"}),
        ("not best", ALL - {"two"}),
        ('"\'; drop table run; --"', set()),
    ],
)
def test_a_filter_finds(runs: Database, text: str, names: set[str]) -> None:
    assert found(runs, text) == names


def test_every_column_can_be_compared(runs: Database) -> None:
    from app.board.filter.kinds import OPERATORS, kind
    from app.board.filter.names import ALL as NAMES
    from app.board.run_columns import column

    values: dict[str, Any] = {"number": "1", "time": "2026-01-31", "flag": "true"}
    for name in {column(name).name for name in NAMES}:
        of = kind(column(name))
        for sign in OPERATORS[of]:
            value = "failed" if name == "status" else values.get(of, '"x"')
            found(runs, f"{name} {sign} " + (f"({value})" if sign.endswith("in") else value))
