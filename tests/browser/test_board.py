"""The leaderboard in a browser: with keys, without scripts, and while results come in."""

import re
import sqlite3
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open

pytestmark = pytest.mark.browser


def test_rows_are_walked_through_and_selected_by_keys(seeded: str, open_page: Open) -> None:
    page = open_page(seeded)
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.dataset.run") == "7"
    page.keyboard.press("x")
    expect(page.locator("[data-selection]")).to_contain_text("1 selected")
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.dataset.run") == "8"
    page.keyboard.press("/")
    page.keyboard.type("jx")
    assert page.input_value("[data-filter]") == "jx"
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.wait_for_url("**/runs/new")


def test_without_scripts_runs_are_filtered_sorted_tagged_and_deleted(address: str, open_page: Open) -> None:
    page = open_page(address, javascript=False)
    page.fill("[data-filter]", "Exp")
    page.press("[data-filter]", "Enter")
    page.click("thead a:has-text('BLEU')")
    assert "filter=Exp" in page.url
    assert "sort=-eval%2Fbleu" in page.url
    page.check("tr[data-run='3'] input")
    page.click("summary:has-text('Tag')")
    page.fill("#tags", "weak")
    page.click("button:has-text('Add')")
    expect(page.locator("tr[data-run='3']")).to_contain_text("weak")
    page.check("tr[data-run='3'] input")
    page.click("button:has-text('Delete')")
    expect(page.locator("h1")).to_have_text("Delete this run?")
    page.click("button:has-text('Delete this run')")
    expect(page.locator("tr[data-run='3']")).to_have_count(0)
    assert "filter=Exp" in page.url


def test_numbers_change_in_their_places_and_rows_keep_theirs(address: str, data_dir: Path, open_page: Open) -> None:
    page = open_page(address)
    page.check("tr[data-run='8'] input")
    rows = page.locator("tr[data-run]")
    order = rows.evaluate_all("rows => rows.map(row => row.dataset.run)")
    with sqlite3.connect(data_dir / "tuneboard.db") as database:
        database.execute("UPDATE run SET fraction = 0.71, step = 557, eta_seconds = 1500 WHERE id = 9")
    expect(page.locator("tr[data-run='9']")).to_contain_text(
        re.compile(r"71 %.*25 min left", re.DOTALL), timeout=15_000
    )
    expect(page.locator(".now")).to_contain_text("557")
    expect(page.locator(".live-chip")).to_contain_text("71 %")
    with sqlite3.connect(data_dir / "tuneboard.db") as database:
        database.execute("UPDATE run SET status = 'cancelled', stage = NULL WHERE id = 10")
    expect(page.locator("[data-stale]")).to_contain_text("new place", timeout=15_000)
    assert rows.evaluate_all("rows => rows.map(row => row.dataset.run)") == order
    assert page.is_checked("tr[data-run='8'] input")
    page.click("text=Sort again")
    expect(page.locator("[data-stale]")).to_be_hidden()
    assert rows.evaluate_all("rows => rows.map(row => row.dataset.run)") != order


def test_a_name_that_is_markup_is_shown_as_text(address: str, data_dir: Path, open_page: Open) -> None:
    with sqlite3.connect(data_dir / "tuneboard.db") as database:
        database.execute("UPDATE run SET name = '<img src=x onerror=alert(1)>', notes = '<script>' WHERE id IN (8, 9)")
    page = open_page(address)
    expect(page.locator("tr[data-run='8'] .name a")).to_have_text("<img src=x onerror=alert(1)>")
    assert page.locator("main img").count() == 0


def test_long_names_and_texts_widen_no_page(address: str, data_dir: Path, open_page: Open) -> None:
    word = "averyverylongword" * 11
    with sqlite3.connect(data_dir / "tuneboard.db") as database:
        database.execute("UPDATE run SET name = ?, notes = ?", (word, f"{word} {word * 20}"))
        database.execute("UPDATE run SET error = json_set(error, '$.detail', ?) WHERE error IS NOT NULL", (word * 5,))
        database.execute("UPDATE experiment SET name = ?, description = ?", (word, word * 20))
        database.execute("UPDATE dataset SET name = ?", (word,))
    page = open_page(address)
    wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        for path in (
            "/leaderboard?experiment=1",
            "/experiments",
            "/experiments/1",
            "/datasets",
            "/datasets/1",
            "/queue",
        ):
            page.goto(address + path)
            assert not page.evaluate(wide), f"{path} {width}"
        for path in ("/runs/new", "/runs/8", "/runs/9", "/runs/12"):
            page.goto(address + path)
            page.wait_for_timeout(300)
            assert not page.evaluate(wide), f"{path} {width}"
