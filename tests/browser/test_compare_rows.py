"""The page of answers row by row in a browser: found, narrowed, opened one by one, by mouse and by key."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.test_pages import complaints

pytestmark = pytest.mark.browser

TWO, SEVEN = "/compare/rows?runs=2,8", "/compare/rows?runs=2,3,4,5,6,7,8"


def test_rows_are_searched_narrowed_and_opened(seeded: str, open_page: Open) -> None:
    page = open_page(seeded + TWO)
    rows = page.locator("tr[data-row]")
    expect(rows).to_have_count(10)
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(rows.nth(1)).to_be_focused()
    page.keyboard.press("/")
    page.keyboard.type("mumps")
    page.keyboard.press("Enter")
    expect(page.locator(".chips")).to_contain_text("mentions mumps")
    page.click("a[aria-label='Any words']")
    worse = page.locator(".tally tbody tr").last.locator("a.bad")
    number = worse.inner_text()
    worse.click()
    expect(page.locator(".chips")).to_contain_text(f"{number} of 250 rows")
    page.click("text=Changed from the baseline")
    expect(page.locator(".diff-key")).to_contain_text("left out")
    page.locator("a.row-no").first.click()
    expect(rows).to_have_count(1)
    expect(page.locator(".alone")).to_contain_text(f"1 of {number}")
    page.click("text=Next")
    expect(page.locator(".alone")).to_contain_text(f"2 of {number}")
    page.click("text=All rows")
    expect(page.locator(".chips")).to_contain_text(f"{number} of 250 rows")


def test_without_scripts_all_of_it_works(seeded: str, open_page: Open) -> None:
    page = open_page(seeded + SEVEN, javascript=False, width=390)
    page.click(".pick-pop summary")
    page.click(".pick-pop >> text=Each run's base model")
    expect(page.locator(".pick")).to_contain_text("each run's base model")
    page.click("text=Next rows")
    expect(page.locator(".pager")).to_contain_text("11 to 20 of 250")
    page.fill("[data-find]", "fever")
    page.keyboard.press("Enter")
    expect(page.locator(".chips")).to_contain_text("mentions fever")


def test_the_runs_page_leads_to_all_of_its_rows(seeded: str, open_page: Open) -> None:
    page = open_page(f"{seeded}/runs/8")
    page.click("#answers >> text=All rows")
    expect(page.locator("h1")).to_have_text("Answers, row by row")
    expect(page.locator(".answers thead")).to_contain_text("Fine-tuned")


@pytest.mark.parametrize("path", [TWO, SEVEN + "&diff=baseline&find=feet", TWO + "&row=4"])
def test_axe_finds_nothing_and_nothing_is_too_wide(seeded: str, open_page: Open, path: str) -> None:
    page = open_page(seeded + path)
    page.evaluate("for (const fold of document.querySelectorAll('main details:not(.pop)')) fold.open = true")
    assert complaints(page) == []
