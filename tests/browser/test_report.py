"""The report and the import in a real Chromium: both themes and widths, without scripts, and as a file of its own."""

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.app.study.reference_study import TABLE
from tests.browser.conftest import Open
from tests.browser.test_pages import complaints

pytestmark = pytest.mark.browser


def fill_in(page: Page) -> None:
    page.fill("#text", TABLE)
    page.fill("#experiment", "Reference")
    for name, value in {"base.perplexity": "45.2", "setup.train_rows": "2500"}.items():
        page.fill(f"[name='{name}']", value)


def test_axe_finds_nothing_on_the_report_of_a_launched_study(seeded: str, open_page: Open) -> None:
    assert complaints(open_page(f"{seeded}/experiments/1/report")) == []


def test_a_table_is_pasted_seen_imported_and_reported_without_scripts(address: str, open_page: Open) -> None:
    page = open_page(f"{address}/imports/new", javascript=False)
    fill_in(page)
    page.click("text=Preview")
    assert page.locator(".preview tbody tr").count() == 7
    page.click("text=Import 7 runs")
    assert page.url.endswith("/report")
    assert "Exp 6 is the best configuration" in page.inner_text(".answer")
    assert "60.6 %" in page.inner_text(".figures")
    page.click("#next a:has-text('Launch') >> nth=0")
    assert "/runs/new?clone=" in page.url
    assert page.input_value("[name='lora.r']") == "32"


def test_axe_finds_nothing_on_import_preview_imported_report_and_run(address: str, open_page: Open) -> None:
    page = open_page(f"{address}/imports/new")
    assert complaints(page) == []
    fill_in(page)
    page.click("text=Preview")
    assert complaints(page) == []
    page.click("text=Import 7 runs")
    assert complaints(page) == []
    page.click("#table tbody a >> nth=0")
    assert complaints(page) == []


@pytest.mark.parametrize("width", [1280, 390])
def test_the_file_looks_the_same_and_asks_nobody_for_anything(
    seeded: str, open_page: Open, tmp_path: Path, width: int
) -> None:
    page = open_page(f"{seeded}/experiments/1/report", width=width)
    with page.expect_download() as download:
        page.click("a[href*='report.html']:visible")
    file = tmp_path / "report.html"
    download.value.save_as(file)
    asked: list[str] = []
    alone = open_page("about:blank", width=width)
    alone.on("request", lambda request: asked.append(request.url))
    alone.goto(file.as_uri())
    assert asked == [file.as_uri()]
    assert alone.inner_text(".answer") == page.inner_text(".answer")
    assert alone.locator("svg.whisker").count() == page.locator("svg.whisker").count()
    assert complaints(alone) == []


def test_it_prints_in_black_on_white_from_a_dark_screen(seeded: str, open_page: Open) -> None:
    page = open_page(f"{seeded}/experiments/1/report", scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('.answer')).color") == "rgb(0, 0, 0)"
    assert not page.is_visible(".toc")
