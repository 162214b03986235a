"""A question asked in the browser, and its answers growing while a worker writes them."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from app import errand_claims
from app.db import connect
from app.leases import lease
from app.settings import Settings
from tests.browser.conftest import Open
from tests.browser.test_pages import complaints

pytestmark = pytest.mark.browser

GIVEN = {"prompt": "### Question\nWho?", "prompt_tokens": 7, "shortened": False}
NOTHING = GIVEN | {"text": None, "tokens": 0, "seconds": 0.0, "ending": None}
HALF = GIVEN | {"text": "It is", "tokens": 2, "seconds": 0.1, "ending": None}
WHOLE = GIVEN | {"text": "It is the second.", "tokens": 5, "seconds": 0.5, "ending": "end"}
CUT = WHOLE | {"ending": "length"}


def test_answers_grow_while_they_are_written(address: str, data_dir: Path, open_page: Open) -> None:
    page = open_page(f"{address}/tryout?runs=8")
    page.fill("#prompt", "Who?")
    page.click("button:has-text('Ask')")
    expect(page.locator(".state")).to_contain_text("Waiting")
    database = connect(Settings(data_dir=data_dir).database)
    with database.writing() as session:
        errand_claims.say_why_they_wait(session, [1], "Run 9 is training on this worker; about 5 min left.")
    expect(page.locator(".state")).to_contain_text("about 5 min left")
    assert complaints(page) == []
    page.set_viewport_size({"width": 1280, "height": 900})
    columns = page.locator(".columns article")
    with database.writing() as session:
        taken = errand_claims.claim(session, ["tryout"], "worker", lease(60))
        assert taken
        errand_claims.report(session, taken[0], lease(60), {"answers": [HALF, NOTHING]})
    expect(columns.first).to_contain_text("It is")
    expect(columns.nth(1)).to_contain_text("Its turn comes.")
    page.click("summary:has-text('What the models were given')")
    with database.writing() as session:
        errand_claims.finish(session, taken[0], {"answers": [CUT, WHOLE]})
    expect(columns.first).to_contain_text("cut off")
    expect(columns.nth(1)).to_contain_text("5 tokens·10 tokens/s·came to its end")
    expect(page.locator(".state")).to_contain_text("Answered")
    expect(page.locator(".given pre")).to_be_visible()  # opened meanwhile, and still open
    assert complaints(page) == []
    database.dispose()
