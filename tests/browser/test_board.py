"""The leaderboard in a browser: with keys, without scripts, and while results come in."""

import re
import sqlite3
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.test_pages import is_too_wide

pytestmark = pytest.mark.browser

WIDE = (
    "model.base_model",
    "lora.r",
    "lora.lora_alpha",
    "lora.target_modules",
    "data.dataset",
    "data.max_length",
    "training.learning_rate",
    "training.seed",
    "training.optim",
    "training.num_train_epochs",
    "eval/perplexity:best",
    "created_at",
)


def test_rows_are_walked_through_and_selected_by_keys(seeded: str, open_page: Open) -> None:
    page = open_page(seeded)
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.dataset.run") == "7"
    page.keyboard.press("x")
    expect(page.locator("[data-count]")).to_have_text("1")
    expect(page.locator("[data-compare]")).to_be_disabled()
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.dataset.run") == "8"
    page.keyboard.press("?")
    expect(page.locator(".all-keys .pop-body")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".all-keys .pop-body")).to_be_hidden()
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
    page.click("#selection button:has-text('Add')")
    expect(page.locator("tr[data-run='3']")).to_contain_text("weak")
    page.check("tr[data-run='3'] input")
    page.click("summary:has-text('Tag')")
    page.click("button:has-text('Delete the selected runs')")
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


def test_without_scripts_columns_are_chosen_a_condition_is_added_and_the_view_is_kept(
    address: str, open_page: Open
) -> None:
    page = open_page(address, javascript=False)
    page.click("summary:has-text('Columns')")
    page.check("input[value='training.seed']")
    page.check("input[value='eval/perplexity:best']")
    page.uncheck("input[value='notes']")
    page.click("button:has-text('Show')")
    heads = page.locator("thead th").all_inner_texts()
    assert [head.split("\n")[0] for head in heads if head][-3:] == ["ROUGE-L", "Training", "Memory"]
    assert "Seed" in heads
    page.click("summary:has-text('Filter')")
    page.select_option("#add", "lora.r")
    page.select_option("[name=operator]", "in")
    page.fill("[name=value]", "4, 16")
    page.click(".condition button")
    expect(page.locator("tr[data-row] .name > a:first-child")).to_have_text(["Exp 5", "Exp 4", "Exp 7"])
    expect(page.locator("[data-filter]")).to_have_value("lora.r in (4, 16)")
    page.click("summary:has-text('View')")
    page.fill("#view", "By rank")
    page.click(".save button")
    page.click(".chip a")
    expect(page.locator("tr[data-row]")).to_have_count(13)
    page.click("summary:has-text('View')")
    page.click("a:has-text('By rank')")
    expect(page.locator("tr[data-row]")).to_have_count(3)
    expect(page.locator("summary:has-text('View')")).to_contain_text("By rank")


def test_a_run_is_pinned_by_a_key_and_another_is_compared_with_it(seeded: str, open_page: Open) -> None:
    page = open_page(seeded)
    page.focus("tr[data-run='7']")
    page.keyboard.press("b")
    page.wait_for_url("**/leaderboard?baseline=7")
    expect(page.locator("tr[data-run='7'] .metric").first).to_contain_text("baseline")
    expect(page.locator("tr[data-run='6'] .metric").first).to_contain_text("+4.3")
    page.focus("tr[data-run='6']")
    page.keyboard.press("x")
    page.keyboard.press("c")
    page.wait_for_url("**/compare?runs=7,6&baseline=7")


def test_a_mistake_in_the_filter_is_pointed_at(seeded: str, open_page: Open) -> None:
    page = open_page(f"{seeded}/leaderboard?filter=lora.rank+%3D+8", missing_is_fine=True)
    box = page.locator("[data-filter]")
    expect(box).to_have_value("lora.rank = 8")
    expect(box).to_be_focused()
    assert box.evaluate("box => box.value.slice(box.selectionStart, box.selectionEnd)") == "lora.rank"
    expect(page.locator(".wrong mark")).to_have_text("lora.rank")
    expect(page.locator(".wrong")).to_contain_text("did you mean lora.r")
    expect(page.locator("tr[data-row]")).to_have_count(13)


def test_a_column_is_found_by_its_name(seeded: str, open_page: Open) -> None:
    page = open_page(seeded)
    page.click("summary:has-text('Columns')")
    expect(page.locator("[data-find]")).to_be_focused()
    page.keyboard.type("lora al")
    expect(page.locator("[data-choice]:visible")).to_have_text(["LoRA alpha"])


def test_many_columns_scroll_under_the_runs_name(seeded: str, open_page: Open) -> None:
    page = open_page(
        f"{seeded}/leaderboard?columns=" + ",".join((*WIDE, "eval/perplexity", "eval/bleu", "train_seconds", "notes"))
    )
    name = page.locator("tr[data-run='8'] .name")
    before = name.bounding_box()
    page.locator(".table-box").evaluate("box => { box.scrollLeft = 400 }")
    after = name.bounding_box()
    assert before
    assert after
    assert 0 <= before["x"] - after["x"] < 40
    page.set_viewport_size({"width": 390, "height": 900})
    assert not is_too_wide(page)


def test_a_name_that_is_markup_is_shown_as_text(address: str, data_dir: Path, open_page: Open) -> None:
    with sqlite3.connect(data_dir / "tuneboard.db") as database:
        database.execute("UPDATE run SET name = '<img src=x onerror=alert(1)>', notes = '<script>' WHERE id IN (8, 9)")
    page = open_page(address)
    expect(page.locator("tr[data-run='8'] .name > a").first).to_have_text("<img src=x onerror=alert(1)>")
    assert page.locator("main img").count() == 0


def test_long_names_and_texts_widen_no_page(address: str, data_dir: Path, open_page: Open) -> None:
    word = "averyverylongword" * 11
    with sqlite3.connect(data_dir / "tuneboard.db") as database:
        database.execute("UPDATE run SET name = ?, notes = ?", (word, f"{word} {word * 20}"))
        database.execute("UPDATE run SET error = json_set(error, '$.detail', ?) WHERE error IS NOT NULL", (word * 5,))
        database.execute("UPDATE experiment SET name = ?, description = ?", (word, word * 20))
        database.execute("UPDATE dataset SET name = ?", (word,))
    page = open_page(address)
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
            assert not is_too_wide(page), f"{path} {width}"
        for path in ("/runs/new", "/runs/8", "/runs/9", "/runs/12"):
            page.goto(address + path)
            page.wait_for_timeout(300)
            assert not is_too_wide(page), f"{path} {width}"
