"""A study launched in a browser: fields varied with and without scripts, and the reference study in one action."""

import pytest
from playwright.sync_api import Page, expect
from sqlmodel import select

from app.db import Database
from app.models import Run
from tests.browser.conftest import Open, field

pytestmark = pytest.mark.browser


def vary(page: Page, name: str, text: str) -> None:
    page.click(f'[data-vary="{name}"] > summary')
    page.fill(field(f"axes.{name}"), text)


def names(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.exec(select(Run.name).order_by("queue_position")))


@pytest.mark.parametrize("javascript", [True, False])
def test_varied_fields_are_mended_in_place_and_launched(
    launch_address: str, database: Database, open_page: Open, javascript: bool
) -> None:
    page = open_page(f"{launch_address}/runs/new", javascript=javascript, missing_is_fine=True)
    page.fill(field("experiment"), "How wide?")
    page.fill(field("model.base_model"), "tiny")
    vary(page, "lora.r", "4, x")
    vary(page, "training.learning_rate", "1e-4..1e-3 x2")
    page.get_by_role("button", name="Launch").first.click()
    expect(page.get_by_role("alert")).to_contain_text("1 field needs a change: LoRA r, varied")
    expect(page.locator(field("axes.lora.r-err"))).to_contain_text("This must be a whole number: x")
    expect(page.locator(field("axes.training.learning_rate"))).to_have_value("1e-4..1e-3 x2")
    page.fill(field("axes.lora.r"), "4, 16")
    if not javascript:
        page.click("text=Show first what this makes")
    expect(page.locator("#launch-facts")).to_contain_text("5 runs")
    page.click("button:has-text('Launch 5 runs')")
    expect(page.locator("h1")).to_have_text("How wide?")
    expect(page.locator("#warnings")).to_contain_text("queue unreachable")
    assert names(database) == [
        "Baseline",
        "LoRA r 4, LoRA alpha 8",
        "LoRA r 16, LoRA alpha 32",
        "Learning rate 1e-4",
        "Learning rate 1e-3",
    ]


def test_the_switch_is_the_axis(launch_address: str, open_page: Open) -> None:
    page = open_page(f"{launch_address}/runs/new?model.base_model=tiny")
    panel, values = page.locator("#launch-facts"), page.locator(field("axes.lora.r"))
    page.click('[data-vary="lora.r"] > summary')
    expect(values).to_be_focused()
    expect(values).to_have_value("8, ")
    page.keyboard.press("End")
    page.keyboard.type("4, 16")
    expect(panel).to_contain_text("3 runs")
    expect(page.locator("button[type=submit]:has-text('Launch 3 runs')")).to_be_visible()
    page.click('[data-vary="lora.r"] > summary')
    expect(panel).to_contain_text("1 run")
    expect(values).to_have_value("")


@pytest.mark.parametrize("width", [1280, 390])
def test_the_reference_study_is_two_clicks_on_any_base(
    launch_address: str, database: Database, open_page: Open, width: int
) -> None:
    page = open_page(f"{launch_address}/runs/new", width=width)
    page.fill(field("model.base_model"), "tiny")
    page.click("summary:has-text('Preset')")
    page.click("a:has-text('Eight runs on your base and data')")
    expect(page.locator(field("model.base_model"))).to_have_value("tiny")
    expect(page.locator("#launch-facts tbody tr", has_text="Exp 3")).to_contain_text("effective batch 8")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.fill(field("experiment"), "Reference")
    page.click("button:has-text('Launch 8 runs')")
    expect(page.locator("h1")).to_have_text("Reference")
    assert names(database) == ["Baseline", *(f"Exp {number}" for number in range(1, 7)), "Without 4-bit"]
