"""Real data and a real pretrained model, through the pages in Chromium and through REST, and computed again outside.

Both lie beside a checkout in ../shared where there are any; without them the test is skipped. A part of the rows is
used, as the suite has to end; REAL_DATA=all takes every row, one epoch, 250 held out.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from app.settings import ROOT
from tests.e2e.conftest import Stack, running_stack
from tests.outside import check

PAIRS = ROOT.parent / "shared/data/medical_pairs.jsonl"
MODELS = ROOT.parent / "shared/models"
BASE = MODELS / "stories260K"
ALL = os.environ.get("REAL_DATA") == "all"
LEARNING_RATE = 5e-3
TRAIN_ROWS, EVAL_ROWS, NEW_TOKENS = ("", 250, 128) if ALL else ("160", 40, 32)
SECONDS = 3600 if ALL else 600

Json = dict[str, Any]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(not PAIRS.exists() or not BASE.exists(), reason="no real data and model beside the checkout"),
    pytest.mark.timeout(2 * SECONDS),
    # peft asks the model for an attribute that transformers is renaming.
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated"),
]


@pytest.fixture(scope="module")
def real_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory, TUNEBOARD_MODEL_DIRS=str(MODELS), TUNEBOARD_LEASE_SECONDS="15") as running:
        yield running


@pytest.fixture(scope="module")
def launched_by_form(real_stack: Stack, chromium: Browser) -> Json:
    """The finished run that a person launched through the pages."""
    page = chromium.new_page()
    address = f"http://127.0.0.1:{real_stack.settings.port}"
    _upload(page, address)
    run_id = _launch(page, address)
    run = real_stack.wait(run_id, lambda run: run["status"] not in ("queued", "running"), SECONDS)
    page.reload()
    expect(page.locator("h1")).to_contain_text("By form")
    expect(page.get_by_text("Completed").first).to_be_visible()
    page.close()
    return run


def _upload(page: Page, address: str) -> None:
    page.goto(f"{address}/datasets")
    page.set_input_files("#file", PAIRS)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator("h1")).to_contain_text("medical_pairs", timeout=60_000)


def _launch(page: Page, address: str) -> int:
    page.goto(f"{address}/runs/new")
    for group in ("name", "evaluation"):
        page.click(f"#group-{group} summary")
    values = {
        "experiment": "Real data",
        "name": "By form",
        "model.base_model": "stories260K",
        "data.max_train_rows": TRAIN_ROWS,
        "training.learning_rate": str(LEARNING_RATE),
        "training.num_train_epochs": "1",
        "evaluation.max_eval_rows": str(EVAL_ROWS),
        "evaluation.max_new_tokens": str(NEW_TOKENS),
    }
    for name, text in values.items():
        page.fill(f'[id="{name}"]', text)
    page.get_by_role("button", name="Launch run").click()
    page.wait_for_url(re.compile(r"/runs/\d+$"), timeout=30_000)
    return int(page.url.rsplit("/", 1)[1])


def _report(run: Json) -> None:
    results, resources = run["results"], run["resources"]
    for metric in ("perplexity", "bleu", "rouge_l"):
        print(f"{metric}: {results['base'][metric]:.4g} -> {results['finetuned'][metric]:.4g}")
    print(f"{resources['train_seconds']:.0f} s training, {resources['evaluation_seconds']:.0f} s evaluation")
    print(f"peak {resources['peak_memory_bytes'] / 1e6:.0f} MB ({resources['memory_kind']})")
    print(f"warnings: {run['warnings']}")


def test_the_run_learnt_and_says_what_was_odd(launched_by_form: Json) -> None:
    run = launched_by_form
    assert run["status"] == "completed", run["error"]
    _report(run)
    assert run["results"]["finetuned"]["perplexity"] < 0.9 * run["results"]["base"]["perplexity"]
    assert run["results"]["cut_responses"] + run["results"]["shortened_prompts"] > 0
    # Widths of 172 come back wrong from the 4-bit kernel of some CPUs: kept whole, and said.
    skipped = run["environment"]["quantization"]["skipped_modules"]
    assert bool(skipped) == any("quantis" in warning for warning in run["warnings"])


def test_its_results_can_be_computed_again_from_what_is_downloaded(
    launched_by_form: Json, real_stack: Stack, tmp_path: Path
) -> None:
    run = launched_by_form
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    for item in real_stack.api("GET", f"/runs/{run['id']}/artifacts")["items"]:
        content = httpx.get(
            f"http://127.0.0.1:{real_stack.settings.port}/api/v1/runs/{run['id']}/artifacts/{item['name']}"
        ).content
        (artifacts / item["name"]).write_bytes(content)
    check(run["results"], BASE, artifacts, tmp_path / "adapter")


def test_the_same_through_rest_gives_the_same_and_reuses_the_base(launched_by_form: Json, real_stack: Stack) -> None:
    first = launched_by_form
    body = {"experiment": "Real data", "name": "By REST", "config": first["config"]}
    run = real_stack.wait(
        real_stack.api("POST", "/runs", json=body)["id"],
        lambda run: run["status"] not in ("queued", "running"),
        SECONDS,
    )
    assert run["status"] == "completed", run["error"]
    _report(run)
    assert run["results"]["baseline_key"] == first["results"]["baseline_key"]
    assert run["results"]["finetuned"] == first["results"]["finetuned"]
    assert run["resources"]["evaluation_seconds"] < first["resources"]["evaluation_seconds"]
