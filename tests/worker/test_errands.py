"""Errands: done beside training by a process that dies with its worker, ended on request, never in a run's way."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from app import errand_claims, errands
from app.db import Database
from app.leases import lease
from app.models import Dataset, Errand
from worker import errands as doing
from worker.context import Context
from worker.errands import Light

SAMPLE = "sample/clinic-2m"
Look = Callable[[int], Errand]


@pytest.fixture
def errand_of(database: Database) -> Look:
    def read(errand_id: int) -> Errand:
        with database.reading() as session:
            errand = errands.get(session, errand_id)
            session.expunge(errand)
            return errand

    return read


def ask(database: Database, kind: str = "preview", **request: Any) -> int:
    with database.writing() as session:
        errand = errands.ask(session, kind, request)
        assert errand.id
        return errand.id


def ask_preview(database: Database, of: Dataset, **request: Any) -> int:
    given = {"dataset": of.id, "row": 0, "model": SAMPLE, "prompt_template": "auto", "max_length": 128}
    return ask(database, **given | request)


def until_over(look: Look, errand_id: int, seconds: float = 60) -> Errand:
    deadline = time.monotonic() + seconds
    while (errand := look(errand_id)).status in errands.OPEN:
        assert time.monotonic() < deadline, errand
        time.sleep(0.02)
    return errand


def test_a_row_is_shown_as_the_model_will_read_it(
    context: Context, database: Database, dataset: Dataset, errand_of: Look
) -> None:
    first, second = ask_preview(database, dataset), ask_preview(database, dataset, row=3)
    too_far = ask_preview(database, dataset, row=60)
    with doing.running(context):
        answer = until_over(errand_of, first).answer
        assert until_over(errand_of, second).status == "done"
        refused = until_over(errand_of, too_far)
    assert answer
    assert "Count one one" in answer["text"]
    trained = "".join(token["text"] for token in answer["tokens"] if token["trained"])
    assert trained.startswith("The one comes before the one in this row of sixty")
    assert answer["tokens"][0]["special"]
    assert answer["tokens"][-1]["special"]
    assert answer["truncated"] == {"prompt_tokens": 0, "answer_tokens": 0}
    assert refused.error
    assert refused.error["code"] == "no_row"


def test_what_is_wrong_with_a_request_is_said_in_words(
    context: Context, database: Database, dataset: Dataset, errand_of: Look
) -> None:
    away = ask_preview(database, dataset, model="organisation/away")
    gone = ask_preview(database, dataset, dataset=9)
    Light(context).look()
    for errand_id, word in ((away, "not on this machine"), (gone, "no data set 9")):
        error = errand_of(errand_id).error
        assert error
        assert word in error["detail"]
