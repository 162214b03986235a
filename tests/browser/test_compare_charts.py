"""The charts of a comparison in a real Chromium: drawn, read, picked from, zoomed into, and saved."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from app.db import connect
from app.settings import Settings
from tests.browser.conftest import Open, serving
from tests.browser.test_pages import findings
from tests.stored_runs import add_completed, add_points, config

pytestmark = pytest.mark.browser

STUDY = "/compare?runs=2,3,4,5,6,7,8"
BASELINE, EXP_4, EXP_6 = 2, 6, 8
LONG = 2500


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory, migrated: bytes) -> Iterator[str]:
    """Fourteen runs, more than there are colours; one with more points than one chart takes, and one peak in them."""
    folder = tmp_path_factory.mktemp("crowd")
    (folder / "tuneboard.db").write_bytes(migrated)
    database = connect(Settings(data_dir=folder).database)
    for number in range(14):
        run_id = add_completed(database, 20 - number / 5, name=f"Run {number + 1}", config=config(lora__r=number + 1))
        steps = range(1, LONG if number == 0 else 20)
        loss: dict[int, float | None] = {step: 3 - step / LONG for step in steps}
        add_points(database, run_id, "train/loss", loss | ({1234: 9.0} if number == 0 else {}))
    database.dispose()
    with serving(folder) as address:
        yield address


def figure(page: Page, name: str) -> Locator:
    """The chart of a series, drawn."""
    found = page.locator(f'[data-curve="{name}"]')
    found.scroll_into_view_if_needed()
    expect(found.locator("canvas")).to_be_visible()
    page.wait_for_timeout(200)
    return found


def drag(page: Page, plot: Locator, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Between two places of a plot, each as shares of its width and height."""
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=5)
    page.mouse.up()


def picked(page: Page) -> set[int]:
    """As the address has them."""
    match = re.search(r"picked=([\d,]+)", page.url)
    return {int(run_id) for run_id in match[1].split(",")} if match else set()


def test_one_cursor_goes_over_all_curves(seeded: str, open_page: Open) -> None:
    page = open_page(seeded + STUDY, width=1440)
    other, loss = figure(page, "eval/perplexity"), figure(page, "train/loss")
    loss.locator(".plot").hover(position={"x": 220, "y": 60})
    tip = loss.locator(".plot > .tip")
    expect(tip).to_contain_text("epoch")
    for name in ("Baseline", "Exp 1", "Exp 6"):
        expect(tip).to_contain_text(name)
    expect(other.locator(".cursor")).to_be_visible()
    expect(other.locator(".readout")).to_contain_text("to")
    page.mouse.move(5, 5)
    expect(other.locator(".cursor")).to_be_hidden()


def test_how_curves_are_looked_at_is_in_the_address(seeded: str, open_page: Open) -> None:
    page = open_page(seeded + STUDY)
    figure(page, "train/loss")
    # The runs differ in length.
    expect(page.locator('[data-axis="epoch"]')).to_have_attribute("aria-pressed", "true")
    page.click('[data-axis="time"]')
    page.check("[data-log]")
    page.reload()
    loss = figure(page, "train/loss")
    expect(page.locator('[data-axis="time"]')).to_have_attribute("aria-pressed", "true")
    expect(page.locator("[data-log]")).to_be_checked()
    loss.locator(".plot").hover(position={"x": 220, "y": 60})
    expect(loss.locator(".plot > .tip")).to_contain_text(" min")


def test_what_is_picked_in_one_chart_is_picked_in_all(seeded: str, open_page: Open) -> None:
    page = open_page(seeded + STUDY, width=1440)
    key = page.locator(f'.key[data-run-key="{EXP_4}"]')
    key.click()
    assert picked(page) == {EXP_4}
    expect(page.locator("[data-picked-text]")).to_have_text("Picked: Exp 4")
    link = page.locator('[data-picked-link="/compare"]')
    expect(link).to_have_attribute("href", f"/compare?runs={BASELINE},{EXP_4}&baseline={BASELINE}")
    page.reload()
    expect(key).to_have_attribute("aria-pressed", "true")
    page.click("[data-picked-clear]")
    assert picked(page) == set()

    drag(page, page.locator("[data-scatter] .plot"), (0.75, 0.05), (0.99, 0.4))  # long training, low perplexity
    assert picked(page) == {EXP_6}
    expect(page.locator(f'.key[data-run-key="{EXP_6}"]')).to_have_attribute("aria-pressed", "true")

    parallel = page.locator("[data-parallel] .plot")
    width = parallel.evaluate("plot => plot.clientWidth")
    last = (width - 56) / width  # ROUGE-L: the upper half, which is the better one
    drag(page, parallel, (last, 0.5), (last, 0.1))
    page.wait_for_timeout(300)
    assert picked(page) == {2, 7, 8}


def test_another_pair_of_columns_has_another_front(seeded: str, open_page: Open) -> None:
    page = open_page(seeded + STUDY)
    front = page.locator("[data-front]")
    expect(front).to_contain_text("no run is better in both Training time and Perplexity")
    page.select_option("[data-x]", "peak_memory_bytes")
    expect(front).to_contain_text("no run is better in both Memory and Perplexity")
    page.select_option("[data-x]", "lora.r")
    expect(front).not_to_contain_text("better in both")
    page.reload()
    expect(page.locator("[data-x]")).to_have_value("lora.r")


def test_charts_are_saved_with_title_and_key(seeded: str, open_page: Open, tmp_path: Path) -> None:
    page = open_page(seeded + STUDY)
    loss = figure(page, "train/loss")
    saved = {}
    for kind in ("png", "svg"):
        loss.locator(".tools summary").click()
        with page.expect_download() as download:
            loss.locator(f'[data-save="{kind}"]').click()
        assert download.value.suggested_filename == f"training-loss-nats-token.{kind}"
        download.value.save_as(tmp_path / kind)
        saved[kind] = (tmp_path / kind).read_bytes()
    assert saved["png"].startswith(b"\x89PNG")
    drawing = saved["svg"].decode()
    for text in ("Training loss, nats/token", "Baseline", "Exp 6", "epoch"):
        assert text in drawing
    assert drawing.count("<path") > 7


def test_many_runs_are_grey_until_they_are_picked_and_found_by_name(crowd: str, open_page: Open) -> None:
    page = open_page(f"{crowd}/compare?runs={','.join(map(str, range(1, 15)))}")
    colour = page.locator('.key[data-run-key="14"] line')
    expect(colour).to_have_class("s")
    page.fill("[data-legend-find]", "run 14")
    expect(page.locator(".key:visible")).to_have_count(1)
    page.press("[data-legend-find]", "Enter")
    assert picked(page) == {14}
    expect(colour).to_have_class("s1")


def test_a_sampled_curve_says_so_and_gets_its_points_when_zoomed_into(crowd: str, open_page: Open) -> None:
    page = open_page(f"{crowd}/compare?runs=1,2")
    loss = figure(page, "train/loss")
    expect(loss.locator("[data-note]")).to_contain_text(re.compile(r"sampled: [\d,]+ of 2,499"))
    with page.expect_response(re.compile("before=")) as finer:
        drag(page, loss.locator(".plot"), (0.4, 0.5), (0.5, 0.5))
    (series,) = finer.value.json()["series"]
    assert (series["run"], series["sampled"]) == (1, False)
    expect(loss.locator("[data-note]")).not_to_contain_text("sampled")
    page.click("[data-zoom-reset]")
    expect(loss.locator("[data-note]")).to_contain_text("sampled")
    expect(page.locator("[data-zoom-reset]")).to_be_disabled()


def test_without_scripts_the_tables_are_there(seeded: str, open_page: Open) -> None:
    page = open_page(seeded + STUDY, javascript=False)
    expect(page.locator("#charts canvas")).to_have_count(0)
    loss = page.locator('[data-curve="train/loss"]')
    expect(loss.locator(".plot")).to_be_hidden()
    page.click("text=Changes, step by step")
    expect(page.locator("text=1e-4 → 2e-4")).to_be_visible()
    loss.locator("summary:has-text('Values')").click()
    loss.locator("text=Step by step").click()
    expect(page.locator("h1")).to_have_text("Training loss, step by step")
    assert page.locator("tbody tr").count() > 100


def test_axe_finds_nothing_with_every_table_open(seeded: str, open_page: Open) -> None:
    page = open_page(f"{seeded}{STUDY}&picked=3", width=768)
    page.evaluate("for (const part of document.querySelectorAll('#charts details:not(.pop)')) part.open = true")
    figure(page, "system/memory")
    assert findings(page) == []
    page.goto(f"{seeded}/compare/values?runs=2,3&name=train/loss")
    assert findings(page) == []
