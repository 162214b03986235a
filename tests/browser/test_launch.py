"""A run launched in a browser: with errors first, with and without scripts."""

import re

import pytest
from playwright.sync_api import Page, expect
from sqlmodel import select

from app.db import Database
from app.models import Run
from tests.browser.conftest import Open, field

pytestmark = pytest.mark.browser


def fill(page: Page, **values: str) -> None:
    for name, text in values.items():
        page.fill(field(name), text)


def only_run(database: Database) -> Run:
    with database.reading() as session:
        return session.exec(select(Run)).one()


@pytest.mark.parametrize("javascript", [True, False])
def test_errors_are_mended_in_place_and_the_run_is_launched(
    launch_address: str, database: Database, open_page: Open, javascript: bool
) -> None:
    page = open_page(f"{launch_address}/runs/new", javascript=javascript, missing_is_fine=True)
    template = "Q: {{ instruction }}\n\nA: "
    page.click("#group-adapter-details > summary")
    page.click("#group-data-details > summary")
    page.click("#group-name > summary")
    fill(page, **{"experiment": "How wide?", "model.base_model": "tiny", "training.learning_rate": "2"})
    fill(page, **{"lora.lora_dropout": "1", "data.prompt_template": template, "name": "Wide", "tags": "a, b"})
    page.click("#group-model-details > summary")
    page.uncheck(field("quantization.double_quant"))
    page.click("button:has-text('Launch run')")

    expect(page.get_by_role("alert")).to_contain_text("Nothing was launched. 2 fields need a change")
    expect(page.locator(field("training.learning_rate-err"))).to_have_text("This must be at most 1")
    expect(page.locator(field("training.learning_rate"))).to_have_value("2")
    expect(page.locator(field("lora.lora_dropout"))).to_be_visible()
    expect(page.locator("#group-evaluation .fold-body")).to_be_hidden()
    expect(page.locator(field("experiment"))).to_have_value("How wide?")
    page.get_by_role("alert").get_by_role("link", name="LoRA dropout").click()
    if javascript:
        expect(page.locator(field("lora.lora_dropout"))).to_be_focused()

    fill(page, **{"training.learning_rate": "1.5e-3", "lora.lora_dropout": "0.1"})
    page.click("button:has-text('Launch run')")
    expect(page.locator("h1")).to_contain_text("Wide")
    expect(page.locator("#warnings")).to_contain_text("queue unreachable: starts when it is back")
    run = only_run(database)
    assert (run.config["training"]["learning_rate"], run.config["lora"]["lora_dropout"]) == (1.5e-3, 0.1)
    assert run.config["data"]["prompt_template"] == template
    assert run.config["quantization"]["double_quant"] is False
    assert run.tags == ["a", "b"]


def test_what_the_launch_means_is_said_as_it_is_typed(launch_address: str, open_page: Open) -> None:
    page = open_page(f"{launch_address}/runs/new")
    panel = page.locator("#launch-facts")
    fill(page, **{"model.base_model": "tiny", "training.per_device_train_batch_size": "2", "lora.r": "4"})
    expect(panel).to_contain_text("2 × 4 = 8")
    expect(panel).to_contain_text("224, ")  # 4 x (16 + 16) for q_proj, 4 x (16 + 8) for v_proj
    expect(page.locator(".field [data-fact=effective]")).to_have_text("8")
    expect(panel.locator("tr", has_text="LoRA r")).to_contain_text(re.compile(r"8\s*4"))
    fill(page, **{"training.num_train_epochs": "1000000"})
    expect(panel).to_contain_text("This must be at most 1000")
    panel.get_by_role("link", name="Epochs").click()
    expect(page.locator(field("training.num_train_epochs"))).to_be_focused()


def test_a_folded_group_says_what_is_in_it(launch_address: str, open_page: Open) -> None:
    page = open_page(f"{launch_address}/runs/new")
    line = page.locator("#group-training-details > summary")
    expect(line).to_contain_text("warm-up 0.03")
    expect(line).not_to_contain_text("max steps", use_inner_text=True)
    line.click()
    fill(page, **{"training.max_steps": "20"})
    page.select_option(field("training.packing"), "true")
    expect(line).to_contain_text("max steps 20")
    expect(line).to_contain_text("packing on")


def test_a_clone_starts_from_the_same_settings(launch_address: str, database: Database, open_page: Open) -> None:
    page = open_page(f"{launch_address}/runs/new?lora.r=32&model.base_model=tiny")
    fill(page, experiment="First")
    page.keyboard.press("Control+Enter")
    page.click("text=Clone")
    expect(page.locator(field("lora.r"))).to_have_value("32")
    expect(page.locator("#launch-facts")).to_contain_text("Every setting as in Run 1")
    fill(page, **{"training.seed": "7"})
    expect(page.locator("#launch-facts")).to_contain_text(re.compile(r"Seed\s*42\s*7"))
