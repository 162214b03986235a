"""The comparison in a real Chromium: nothing for axe, nothing wider than the screen, and its toggle in place."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.test_pages import complaints

pytestmark = pytest.mark.browser

STUDY = "/compare?runs=2,3,4,5,6,7,8"


@pytest.mark.parametrize("path", [f"{STUDY},1,9,12&all=1", "/compare?runs=1,2,3,4,5,6,7,8,9,10,11,12,13"])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(seeded: str, open_page: Open, path: str) -> None:
    page = open_page(seeded + path)
    page.wait_for_timeout(300)
    assert complaints(page) == []


def test_from_an_experiment_to_another_baseline_and_to_two_runs_alone(seeded: str, open_page: Open) -> None:
    page = open_page(f"{seeded}/experiments/1", javascript=False)
    page.click("text=Compare all")
    expect(page.locator("h1")).to_have_text("Compare 8 runs")
    page.click('[aria-label="Set the others against Exp 1"]')
    expect(page.locator(".matrix td:nth-child(2) .delta >> nth=0")).to_have_text("baseline")
    assert "baseline=3" in page.url
    page.click(".verdict a >> nth=0")
    expect(page.locator("h1")).to_have_text("Compare 2 runs")


def test_all_settings_come_in_place_and_are_in_the_address(seeded: str, open_page: Open) -> None:
    page = open_page(f"{seeded}{STUDY}")
    page.evaluate("window.still = true")
    page.evaluate("history.replaceState(null, '', location.href + '&axis=time')")  # as a chart's axis does
    page.click("#differs .seg a:last-child")
    expect(page.locator("#differs")).to_contain_text("Split seed")
    assert "axis=time" in page.url, "what the charts show is not lost"
    assert page.evaluate("window.still") is True
    assert page.evaluate("document.activeElement.getAttribute('aria-current')") == "true"
    page.reload()
    expect(page.locator("#differs")).to_contain_text("Split seed")


def test_names_stay_in_sight_while_a_long_table_scrolls(seeded: str, open_page: Open) -> None:
    page = open_page(f"{seeded}/compare?runs=1,2,3,4,5,6,7,8,9,10,11,12,13&all=1", width=390)
    box = page.locator(".matrix-box")
    box.evaluate("box => { box.scrollLeft = 900; box.scrollTop = 200 }")
    place = (
        "element => element.getBoundingClientRect().left - element.closest('.matrix-box').getBoundingClientRect().left"
    )
    assert abs(page.locator(".matrix tbody th >> nth=5").evaluate(place)) < 2


def test_the_way_to_other_pages_stays_at_the_top(seeded: str, open_page: Open) -> None:
    page = open_page(f"{seeded}{STUDY}")
    page.evaluate("scrollTo(0, 2000)")
    assert page.evaluate("scrollY") > 1000
    assert page.evaluate("document.querySelector('.top').getBoundingClientRect().top") == 0
