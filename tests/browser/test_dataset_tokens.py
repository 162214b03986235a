"""A person counts a data set's tokens and reads a row as the model will, with a worker's threads behind the page."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from app.db import Database
from app.leases import lease
from app.models import Dataset, Worker
from app.queue import celery_app
from app.settings import Settings
from tests.browser.conftest import Open, serving
from tests.browser.test_pages import complaints
from worker import errands
from worker.context import Context

pytestmark = pytest.mark.browser


@pytest.fixture
def address(settings: Settings, database: Database, dataset: Dataset) -> Iterator[str]:
    beat = lease(600)
    row = Worker(name="w", hostname="h", pid=1, version="0", device="CPU", boot=beat.boot, beat_until=beat.until)
    with database.writing() as session:
        session.add(row)
        session.commit()
    context = Context(settings, database, celery_app("memory://"), "w", "q")
    with serving(settings.data_dir) as address, errands.running(context):
        yield address


def test_tokens_are_counted_and_a_row_is_read_as_the_model_reads_it(address: str, open_page: Open) -> None:
    page = open_page(f"{address}/datasets/1")
    page.fill("input[name=max_length]", "48")
    page.click("button:has-text('Count tokens')")
    expect(page.locator(".token-chart")).to_be_visible(timeout=60_000)
    expect(page.locator(".figures")).to_contain_text(["Training rows", "Rows that fit"])
    expect(page.locator("#rows .which").first).to_contain_text("tokens")
    assert complaints(page) == []
    page.click("#rows .which a >> nth=6")
    expect(page.locator(".tok.trained[title]").first).to_be_visible(timeout=60_000)
    expect(page.locator(".tokens")).to_contain_text("Count one seven")
    page.click("a[rel=next]")
    expect(page.locator("h1")).to_have_text("Row 8")
    expect(page.locator(".tokens")).to_contain_text("Count one eight")
    assert complaints(page) == []
    page.goto(f"{address}/datasets/1/repeats?kind=across")
    expect(page.locator("tr.head").first).to_have_text("Two rows")
    assert complaints(page) == []
