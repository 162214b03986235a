"""The page that compares runs, as it is without scripts."""

import re

import pytest

from app.compare.results import Delta
from app.db import Database
from app.metrics import BY_SHORT
from app.settings import Settings
from app.web.compare_page.forest import _place, _scale, interval_text
from tests.stored_runs import add_completed, config
from tests.web.pages.conftest import Browser

STUDY = "/compare?runs=2,3,4,5,6,7,8"


def text(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def section(page: str, start: str, end: str) -> str:
    return page[page.index(start) :].split(end)[0]


def test_the_study_is_answered_in_a_sentence_and_shown_with_its_intervals(browser: Browser) -> None:
    page = browser.open(STUDY)
    verdict = text(section(page, '<p class="verdict">', "</p>"))
    assert "Exp 6 is best on all three metrics." in verdict
    assert "are worse than Baseline on every metric." in verdict
    plots = section(page, '<div class="forests">', '<p class="diff-key">')
    assert plots.count("<figure>") == 3
    assert re.findall(r'<a href="/runs/\d+">(.*?)</a>', plots)[:6] == [f"Exp {n}" for n in (6, 5, 2, 3, 1, 4)]
    assert "Holm's correction for 6 comparisons" in page


def test_only_what_differs_is_shown_until_all_is_asked_for(browser: Browser) -> None:
    some = section(browser.open(STUDY), 'id="differs"', "</table>")
    assert "LoRA alpha" in some
    assert "Split seed" not in some
    every = section(browser.open(f"{STUDY}&all=1"), 'id="differs"', "</table>")
    assert "Split seed" in every
    assert "medical_pairs" in every, "a data set by its name"


def test_a_number_has_its_unit_and_its_difference(browser: Browser) -> None:
    page = text(section(browser.open(STUDY), 'id="differs"', "</table>"))
    assert "60 min +15" in page
    assert "3.5 GB −0.7" in page
    assert re.search(r"17\.8 ≈ −0\.9 within noise \[−1\.7, −0\.1\]", page), page


def test_another_baseline_and_fewer_runs_are_links(browser: Browser) -> None:
    page = browser.open("/compare?runs=2,3,4")
    assert 'href="/compare?runs=2,3,4&amp;baseline=3"' in page
    assert 'href="/compare?runs=2,4&amp;baseline=2" title="Leave out Exp 1"' in page
    assert 'href="/compare?runs=3,4&amp;baseline=3" title="Leave out Baseline"' in page
    assert "Leave out" not in browser.open("/compare?runs=2,3"), "two are the fewest"
    assert "against Exp 1" in browser.open("/compare?runs=2,3,4&baseline=3")


def test_runs_are_added_by_a_form_without_scripts(browser: Browser) -> None:
    page = browser.open("/compare?runs=2,3&baseline=3")
    form = section(page, '<form action="/compare">', "</form>")
    assert 'name="runs" value="3,2"' in form
    assert 'name="baseline" value="3"' in form
    assert "Compare 4 runs" in browser.open("/compare?runs=3%2C2&baseline=3&runs=4%2C+5")


def test_what_is_left_out_is_said_with_its_reason(browser: Browser) -> None:
    page = text(browser.open("/compare?runs=1,2,3,9,12,99"))
    assert "not set against Baseline, as it was asked something else: split seed 7 instead of 42." in page
    assert "Exp 7 and Batch 8, no 4-bit have no result: running and failed." in page
    assert "Run 99: not there any more, and left out." in page
    assert "not compared" in page


def test_many_runs_are_rows_best_first_and_no_name_is_lost(browser: Browser, records: Database) -> None:
    for number in range(40):
        add_completed(records, 30.0 - number, name=f"<b>Grid</b> {number}", config=config(lora__r=number + 1))
    page = browser.open(f"/compare?runs={','.join(map(str, range(14, 54)))}")
    heads = re.findall(r'class="who".*?<span>(.*?)</span>', page, re.DOTALL)
    assert len(heads) == 40
    assert heads[:2] == ["&lt;b&gt;Grid&lt;/b&gt; 0", "&lt;b&gt;Grid&lt;/b&gt; 39"], "the baseline, then the best"
    assert "27 more runs" in page


def test_without_runs_the_page_says_where_to_choose_them(browser: Browser) -> None:
    page = browser.open("/compare")
    assert 'href="/compare/experiment/1"' in page
    assert "leaderboard" in page
    assert "Compare 8 runs" in browser.open("/compare/experiment/1")


@pytest.mark.parametrize(("query", "words"), [("runs=2", "two runs or more"), ("runs=a,b", "a is not the id of a run")])
def test_a_wrong_address_is_told_in_words(browser: Browser, query: str, words: str) -> None:
    assert words in browser.open(f"/compare?{query}", status=422)


def test_a_run_far_off_does_not_press_the_others_into_a_point(worked: Settings) -> None:
    near = [Delta(value, None, (value - 0.5, value + 0.5)) for value in (-1.0, 0.5, 1.0, 2.0)]
    scale = _scale([*near, Delta(400.0, None, (390.0, 410.0))])
    assert scale[1] < 3
    assert _place(400.0, scale) == _place(scale[1], scale)
    assert _scale(near[:2])[0] < -1.5


def test_an_end_beside_zero_does_not_read_as_one_at_zero() -> None:
    assert interval_text(BY_SHORT["perplexity"], (0.03, 1.6)) == "[+0.03, +1.60]"
    assert interval_text(BY_SHORT["perplexity"], (-1.4, -0.4)) == "[−1.4, −0.4]"
    assert interval_text(BY_SHORT["bleu"], (0.0, 0.02)) == "[±0.000, +0.020]"
