"""The page of a report: it says what the table says, and its links lead to a launch, to runs, to files."""

import json
import re
from urllib.parse import parse_qs, unquote, urlparse

import pytest

from tests.app.study.reference_study import BASE, TABLE
from tests.web.pages.conftest import Browser

SETUP = {"base_model": "TinyLlama/TinyLlama-1.1B-Chat-v1.0", "train_rows": 2500, "gradient_accumulation_steps": 4}
REPORT = "/experiments/1/report"


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", re.sub(r"<(svg|style)\b.*?</\1>", " ", html, flags=re.DOTALL)).split())


@pytest.fixture
def imported(new_browser: Browser) -> Browser:
    data = {"experiment": "Reference", "base": json.dumps(BASE), "setup": json.dumps(SETUP)}
    answer = new_browser.client.post("/api/v1/imports", data=data, files={"file": ("notes.md", TABLE)})
    assert answer.status_code == 201
    return new_browser


def test_the_reference_report_on_its_page(imported: Browser) -> None:
    text = words(imported.open(REPORT))
    for statement in (
        "Exp 6 is the best configuration: Perplexity 17.8 after 45.2 of the base model (−60.6 %)",
        "BLEU 0.44 from 0.23 +91.3 %",
        "ROUGE-L 0.53 from 0.31 +71.0 %",
        "batch 4 × 4 = 16",
        "effective batch size 16",
        "Learning rate 5e-4 is worse than 2e-4",
        "13.9 % worse",
        "LoRA r 16 with LoRA alpha 32 is better than 8",
        "cannot be told apart",
        "The effective batch size changed with it: 8 instead of 16.",
        "5 is the largest tried: the best may lie beyond.",
        "one run per setting: spread unknown",
        "Exp 6 15 min 75 min 30 min 6.0 min",
        "no run has a held-out loss measured along its training",
        "Base model TinyLlama/TinyLlama-1.1B-Chat-v1.0",
    ):
        assert statement in text, statement


def test_typed_notes_stand_beside_what_the_numbers_say(imported: Browser) -> None:
    html = imported.open(REPORT)
    assert '<span>Higher LR - slight improvement</span><span class="flag">numbers: worse, +4.3 %' in html
    assert '<span>Lower LR - worse performance</span><span class="says">numbers: worse, +13.9 %' in html


def test_findings_link_to_both_of_their_runs_and_recommendations_to_findings(imported: Browser) -> None:
    html = imported.open(REPORT)
    assert '<a href="/runs/1">Baseline</a> → <a href="/runs/7">Exp 6</a>' in html
    named = set(re.findall(r'id="(f\d+)"', html))
    linked = set(re.findall(r'href="#(f\d+)"', html))
    assert linked
    assert linked <= named


def test_every_next_step_opens_the_launch_form_with_its_changes(imported: Browser) -> None:
    links = [
        unquote(link.replace("&amp;", "&"))
        for link in re.findall(r'href="(/runs/new\?clone=[^"]+)"', imported.open(REPORT))
    ]
    assert "/runs/new?clone=1&lora.r=32&lora.lora_alpha=64" in links
    assert "/runs/new?clone=7&training.seed=43" in links
    for link in links:
        form = imported.open(link)
        for name, values in parse_qs(urlparse(link).query).items():
            assert name == "clone" or f'value="{values[0]}"' in form or f">{values[0]}<" in form, (link, name)


def test_downloads_and_the_other_metrics_are_one_click_away(imported: Browser) -> None:
    html = imported.open(REPORT)
    for ending in ("md", "html", "csv", "json"):
        assert f'href="/api/v1{REPORT}.{ending}?best_by=perplexity"' in html
    by_bleu = words(imported.open(f"{REPORT}?best_by=bleu"))
    assert "best configuration: BLEU 0.44" in by_bleu
    assert "BLEU 0.40 instead of 0.42, 4.8 % worse" in by_bleu


def test_a_metric_that_there_is_not_is_the_first(imported: Browser) -> None:
    assert "best configuration: Perplexity" in words(imported.open(f"{REPORT}?best_by=colour"))


def test_the_report_is_linked_from_experiment_and_leaderboard(imported: Browser) -> None:
    assert f'href="{REPORT}"' in imported.open("/experiments/1")
    assert f'href="{REPORT}"' in imported.open("/leaderboard?experiment=1")


def test_an_experiment_without_results_says_so(new_browser: Browser) -> None:
    new_browser.send("/experiments", {"name": "empty"})
    text = words(new_browser.open(REPORT))
    assert "No run of this experiment has a result yet" in text
    assert "Recommendations" not in text


def test_a_launched_study_has_intervals_setup_and_data(browser: Browser) -> None:
    text = words(browser.open(REPORT))
    assert re.search(r"95 % interval \+[\d.]+ % to \+[\d.]+ %", text)
    assert "medical_pairs, 2,500 rows, SHA-256" in text
    assert "held-out prompts nearly repeat a training prompt" in text
    assert "No overfitting" in text


def test_the_page_has_no_inline_style(imported: Browser) -> None:
    html = imported.open(REPORT)
    assert "<style" not in html
    assert not re.search(r'\sstyle="', html)


def test_what_is_not_there_is_a_page_that_says_so(new_browser: Browser) -> None:
    assert "Not found" in words(new_browser.open("/experiments/9/report", status=404))
