"""One data set's page: lengths in tokens, a row as a model reads it, rows that repeat; with a worker and without."""

import json
import re
from collections.abc import Iterator

import pytest

from app.data import token_counts, token_reader
from app.data.datasets import SAMPLE_FILE
from app.data.token_counts import Counts
from app.db import Database
from app.leases import lease
from app.models import Dataset, Worker
from app.queue import celery_app
from app.settings import Settings
from tests.web.pages.conftest import Browser
from worker import errands as doing
from worker.context import Context

PICKED = "model=sample%2Fclinic-2m&template=plain&max_length=32"


@pytest.fixture
def alive(database: Database) -> None:
    beat = lease(60)
    row = Worker(name="w", hostname="h", pid=1, version="0", device="CPU", boot=beat.boot, beat_until=beat.until)
    with database.writing() as session:
        session.add(row)
        session.commit()


@pytest.fixture
def at_work(settings: Settings, database: Database, alive: None) -> Iterator[None]:
    with doing.running(Context(settings, database, celery_app("memory://"), "w", "q")):
        yield


def count(settings: Settings, *rows: tuple[int, int, int]) -> None:
    """Tokens as a worker would have counted them."""
    reader = token_reader.find(settings, "sample/clinic-2m", None, "plain")
    counts = Counts("plain")
    for row in rows:
        counts.add(*row)
    token_counts.write(token_counts.path(settings.dataset_dir(1), reader.version), counts)


def trained(page: str) -> str:
    return "".join(re.findall(r'class="tok trained" title[^>]*>([^<]*)<', page))


def test_lengths_say_how_many_rows_fit(new_browser: Browser, settings: Settings, dataset: Dataset) -> None:
    count(settings, *[(12, 8, 10)] * 50, *[(30, 20, 12)] * 8, *[(12, 8, 40)] * 2)
    page = new_browser.open(f"/datasets/1?{PICKED}")
    figures = dict(re.findall(r"<dt>([^<]+)</dt><dd>([^<]+)</dd>", page))
    assert (figures["Rows that fit"], figures["Prompts shortened"], figures["Responses cut"]) == ("83 %", "8", "2")
    assert "50 of 60 fit 32" in page
    assert page.count("prompt shortened</span>") == 0, "the first page of rows has none"


def test_a_page_counts_nothing_unasked_and_says_what_to_do(new_browser: Browser, dataset: Dataset) -> None:
    page = new_browser.open("/datasets/1")
    assert "Not counted yet" in page
    assert "Count tokens" in page


def test_without_a_worker_the_page_says_so_and_still_shows_the_row(new_browser: Browser, dataset: Dataset) -> None:
    for path in ("/datasets/1", "/datasets/1/rows/8"):
        page = new_browser.open(f"{path}?{PICKED}")
        assert "No worker is running" in page
        assert "Count one eight" in page


def test_what_takes_longer_than_a_moment_is_announced(
    new_browser: Browser, dataset: Dataset, alive: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web.dataset_page.told.LENGTHS_SECONDS", 0)
    page = new_browser.open(f"/datasets/1?{PICKED}")
    assert 'data-errand="1"' in page
    assert "Look again" in page


def test_a_row_is_shown_with_its_tokens(new_browser: Browser, dataset: Dataset, at_work: None) -> None:
    while "data-errand" in (page := new_browser.open(f"/datasets/1/rows/8?{PICKED}")):
        pass  # the tokenizer is being loaded
    assert trained(page) == "The one comes before the eight in this row of", "cut at 32 tokens"
    assert "the prompt lost its first" in page
    assert "the response its last" in page
    whole = new_browser.open(f"/datasets/1/rows/8?{PICKED.replace('32', '64')}")
    assert trained(whole) == "The one comes before the eight in this row of sixty"
    assert re.search(r'class="tok trained special" title="\d+">&lt;/s&gt;<', whole)
    assert 'rel="prev"' in page
    assert 'rel="next"' in page


def test_a_row_that_is_not_there(new_browser: Browser, dataset: Dataset) -> None:
    assert new_browser.client.get("/datasets/1/rows/61").status_code == 404
    assert new_browser.client.get("/datasets/1/rows/0").status_code in (404, 422)


def test_a_model_that_is_not_here_is_said_beside_the_form(new_browser: Browser, dataset: Dataset) -> None:
    page = new_browser.open("/datasets/1?model=organisation%2Faway")
    assert "&#39;organisation/away&#39; is not on this machine yet" in page


def test_rows_that_repeat_are_listed_with_their_text(new_browser: Browser) -> None:
    rows = [{"instruction": f"Ask the number {n} of all of them", "response": f"Tell {n}"} for n in range(40)]
    rows += [{"instruction": "ask the number 3 of all of them!", "response": "Something else"}]
    path = SAMPLE_FILE.name
    made = new_browser.client.post(
        "/api/v1/datasets", files={"file": (path, "".join(json.dumps(row) + "\n" for row in rows))}
    ).json()
    page = new_browser.open(f"/datasets/{made['id']}")
    assert f'href="/datasets/{made["id"]}/repeats?kind=same"><span class="num">1</span>' in page
    listed = new_browser.open(f"/datasets/{made['id']}/repeats")
    assert "different responses" in listed
    assert "Something else" in listed
    assert "Tell 3" in listed
