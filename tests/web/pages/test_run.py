"""The page of a run in every state, its live part, and the forms on it."""

import html
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from app.db import Database
from app.leases import lease
from app.models import Attempt, MetricName, MetricPoint, Run
from app.settings import Settings
from app.status import RunStatus
from tests.web.pages.conftest import Browser

COMPLETED, BEST, RUNNING, QUEUED, FAILED, CANCELLED = (
    "Baseline",
    "Exp 6",
    "Exp 7",
    "Exp 6, seed 44",
    "Batch 8, no 4-bit",
    "Rank 64",
)


def run_id(records: Database, name: str) -> int:
    with records.reading() as session:
        found = session.exec(select(Run.id).where(Run.name == name)).one()
    assert found
    return found


def change(records: Database, name: str, **values: Any) -> None:
    with records.writing() as session:
        run = session.exec(select(Run).where(Run.name == name)).one()
        for field, value in values.items():
            setattr(run, field, value)
        session.commit()


def status_of(records: Database, name: str) -> str:
    with records.reading() as session:
        return session.exec(select(Run.status).where(Run.name == name)).one()


def words(page: str) -> str:
    """What a reader sees of the page's main part."""
    main = page.partition("<main")[2]
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", main)))


def show(browser: Browser, records: Database, name: str, query: str = "") -> str:
    return browser.open(f"/runs/{run_id(records, name)}{query}")


def test_a_running_run_shows_how_far_it_is(browser: Browser, records: Database) -> None:
    page = show(browser, records, RUNNING)
    text = words(page)
    assert "Step 487 / 785 Epoch 3.1 / 5 Left 32 min" in text
    assert "Memory 4.6 GB , peak 4.7" in text
    assert "training 62 %" in text
    assert 'aria-current="step"><progress class="bar" value="0.62" max="1"' in page
    assert "45.2" in text  # the base is known before the end
    assert "after training" in text
    assert "Cancel run" in text


def test_a_completed_run_shows_what_it_came_to(browser: Browser, records: Database) -> None:
    text = words(show(browser, records, BEST))
    assert "Perplexity lower is better 45.2 17.8 −60.6 %" in text
    assert "BLEU higher is better 0.23 0.44 +91.3 %" in text
    assert "Peak memory 4.2 GB" in text
    assert "Per 1,000 examples seen" in text
    assert "Trained weights 6,307,840 0.57 %" in text
    assert "Against Baseline, on the same rows Perplexity −0.9 [" in text
    assert "Download adapter" in text
    assert "Cancel run" not in text


def test_memory_on_cpu_is_labelled_as_that_of_the_process(browser: Browser, records: Database) -> None:
    with records.reading() as session:
        resources = session.exec(select(Run.resources).where(Run.name == BEST)).one()
    change(records, BEST, resources={**(resources or {}), "memory_kind": "rss", "device": "CPU (2 threads)"})
    text = words(show(browser, records, BEST))
    assert "Peak memory (RSS)" in text
    assert "Mean memory (RSS)" in text


def test_a_run_that_cannot_be_compared_with_its_baseline_says_so(browser: Browser, records: Database) -> None:
    text = words(show(browser, records, "Baseline, split 7"))
    assert "Not comparable with Baseline" in text
    assert "Against Baseline" not in text


def test_an_interval_that_holds_zero_is_no_verdict(browser: Browser, records: Database) -> None:
    with records.reading() as session:
        results = session.exec(select(Run.results).where(Run.name == BEST)).one()
    assert results
    change(records, BEST, results={**results, "intervals": {**results["intervals"], "bleu": [-0.1, 0.9]}})
    page = show(browser, records, BEST)
    assert re.search(r'<span class="delta noise"><i aria-hidden="true">≈</i>\+91\.3', page)


def test_a_base_that_does_better_with_a_plain_prompt_is_shown_with_both(browser: Browser, records: Database) -> None:
    with records.reading() as session:
        results = session.exec(select(Run.results).where(Run.name == BEST)).one()
    plain = {"perplexity": 40.1, "bleu": 0.20, "rouge_l": 0.31, "loss": 3.7}
    change(records, BEST, results={**(results or {}), "base_plain": plain})
    text = words(show(browser, records, BEST))
    assert "40.1 with a plain prompt" in text
    assert text.count("with a plain prompt") == 1


def test_settings_that_differ_from_the_baseline_stand_out(browser: Browser, records: Database) -> None:
    page = show(browser, records, BEST)
    assert '<div class="diff"><dt>Epochs</dt><dd class="num">5</dd>' in page
    assert '<div><dt>LoRA r</dt><dd class="num">8</dd>' in page
    assert "1 differs from Baseline" in words(page)
    assert "the baseline of its experiment" in words(show(browser, records, COMPLETED))


def test_every_setting_is_listed_with_its_name(browser: Browser, records: Database) -> None:
    page = show(browser, records, BEST)
    with records.reading() as session:
        config = session.exec(select(Run.config).where(Run.name == BEST)).one()
    for section, settings in config.items():
        for name in settings:
            assert f"<code>{section}.{name}</code>" in page


def test_a_failed_run_says_why_where_and_what_to_do(browser: Browser, records: Database) -> None:
    page = show(browser, records, FAILED)
    text = words(page)
    assert "out_of_memory while training, at step 3 of 237" in text
    assert "Out of memory Step 3 needed 16.4 GB, and the GPU has 15.8 GB." in text
    assert "Halve the batch size" in text
    assert "training failed here" in text
    assert "evaluating not reached" in text
    assert '<div class="l error" data-at="' in page
    start = f"/runs/new?clone={run_id(records, FAILED)}&amp;"
    assert f'href="{start}quantization.method=nf4">Load the base in 4 bits (nf4)</a>' in page
    halved = "training.per_device_train_batch_size=4&amp;training.gradient_accumulation_steps=8"
    assert f'href="{start}{halved}">Batch 4, accumulation 8</a>' in page


def test_a_run_cancelled_while_it_waited_has_reached_no_stage(browser: Browser, records: Database) -> None:
    change(records, QUEUED, status=RunStatus.CANCELLED)
    page = show(browser, records, QUEUED)
    assert "cancelled here" not in page
    assert page.count('<li class="todo">') == 5


def test_a_waiting_run_says_what_comes_first(browser: Browser, records: Database) -> None:
    assert "2 runs are before it in the queue" in words(show(browser, records, QUEUED))


def test_a_run_that_waits_for_a_worker_says_so(browser: Browser, records: Database) -> None:
    change(records, RUNNING, status=RunStatus.CANCELLED)
    change(records, "Exp 6, seed 43", status=RunStatus.CANCELLED)
    with records.writing() as session:
        session.connection().exec_driver_sql("DELETE FROM worker")
        session.commit()
    assert "No worker is up" in words(show(browser, records, QUEUED))


def test_words_that_the_reference_has_too_are_marked(browser: Browser, records: Database) -> None:
    page = show(browser, records, BEST)
    answer = re.search(r'data-label="Fine-tuned"><p class="text">(.*?)</p>', page)
    assert answer
    assert re.fullmatch(
        r"<mark>Tiredness</mark>, pale skin <mark>and, in about \d+ of 100 people, cold hands or feet</mark>\.",
        answer[1],
    )


def test_answers_are_text_and_never_markup(browser: Browser, records: Database, worked: Settings) -> None:
    file = worked.run_dir(run_id(records, BEST)) / "artifacts" / "predictions.jsonl"
    first, *rest = [json.loads(line) for line in file.read_text().splitlines()]
    evil = "<script>alert(1)</script> <img src=x onerror=alert(2)>"
    first |= {"base": evil, "finetuned": f"{evil} and", "reference": f"{evil} or", "prompt": evil}
    file.write_text("".join(json.dumps(row) + "\n" for row in (first, *rest)))
    page = show(browser, records, BEST, "?rows=row")
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "&lt;" in page


def test_rows_have_orders_and_pages(browser: Browser, records: Database) -> None:
    def shown(query: str) -> list[str]:
        return re.findall(r'<tr id="row-(\d+)">', show(browser, records, BEST, query))

    assert shown("?rows=row") == ["0", "1", "2", "3", "4"]
    assert shown("?rows=row&from=5") == ["5", "6", "7", "8", "9"]
    assert shown("?rows=changed") != shown("?rows=worse")
    assert shown("?rows=nonsense") == shown("")


def test_the_base_has_answered_before_the_run_has(browser: Browser, records: Database) -> None:
    text = words(show(browser, records, RUNNING))
    assert "250 rows · the base's answers; the fine-tuned ones follow after training" in text


def test_the_curve_is_there_without_a_script_and_its_values_too(browser: Browser, records: Database) -> None:
    page = show(browser, records, RUNNING)
    assert '<path class="line s1" d="M' in page
    assert re.search(r"<th[^>]*>Held-out loss", page)
    assert '<td class="num">487</td>' in page


def test_a_run_without_points_draws_nothing(browser: Browser, records: Database) -> None:
    assert "The first points come with the first steps." in words(show(browser, records, QUEUED))
    assert 'class="curve"' not in show(browser, records, FAILED)


@pytest.mark.parametrize("values", [[2.0], [2.0, 2.0], [None, None], [1e-9, 3e12], [2.0, None, 3.0]])
def test_any_curve_can_be_drawn(browser: Browser, records: Database, values: list[float | None]) -> None:
    with records.writing() as session:
        name = session.exec(select(MetricName).where(MetricName.name == "train/loss")).one()
        for step, value in enumerate(values, start=1):
            point = MetricPoint(
                run_id=run_id(records, QUEUED), name_id=name.id or 0, step=step, value=value, time=step, epoch=step
            )
            session.add(point)
        session.commit()
    assert "NaN" not in show(browser, records, QUEUED)


def test_the_live_part_is_what_the_page_includes(browser: Browser, records: Database) -> None:
    number = run_id(records, BEST)
    page, live = browser.open(f"/runs/{number}"), browser.open(f"/runs/{number}/live")
    assert live.startswith('<div class="wrap run"')
    for part in (live, page):
        assert 'data-layout="completed"' in part
    assert words("<main>" + live) in words(page)


def test_what_a_script_keeps_up_is_left_out_of_its_refreshes(browser: Browser, records: Database) -> None:
    live = browser.open(f"/runs/{run_id(records, RUNNING)}/live?keep=true")
    assert re.search(r'<div id="charts" data-keep>\s*</div>', live)
    assert re.search(r'<section id="log" data-keep[^>]*>\s*</section>', live)
    assert "487" in live


def test_new_lines_of_the_log_come_with_where_to_go_on(browser: Browser, records: Database, worked: Settings) -> None:
    number = run_id(records, RUNNING)
    first = browser.open(f"/runs/{number}/log/lines?after=0")
    offset = re.search(r'data-next="(\d+)"', first)
    assert offset
    with (worked.run_dir(number) / "run.log").open("a") as log:
        log.write("2026-11-22T15:00:00Z WARNING row 7 was cut <b>\n")
    more = browser.open(f"/runs/{number}/log/lines?after={offset[1]}")
    assert '<div class="l warn" data-at="' in more
    assert "row 7 was cut &lt;b&gt;" in more
    assert more.count('<div class="l') == 1


def test_the_log_is_a_file_to_keep(browser: Browser, records: Database) -> None:
    answer = browser.client.get(f"/runs/{run_id(records, FAILED)}/log")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "out of memory at step 3" in answer.text
    browser.open(f"/runs/{run_id(records, QUEUED)}/log", status=404)


def test_a_run_is_cancelled_from_its_page(browser: Browser, records: Database) -> None:
    for name in (QUEUED, RUNNING):
        path = f"/runs/{run_id(records, name)}"
        assert browser.send(f"{path}/cancel", {}, on=path).headers["location"] == path
    assert status_of(records, QUEUED) == RunStatus.CANCELLED
    assert status_of(records, RUNNING) == RunStatus.RUNNING
    assert "Cancelling" in words(show(browser, records, RUNNING))


@pytest.mark.parametrize(("name", "fresh"), [(FAILED, "true"), (CANCELLED, "")])
def test_a_run_is_retried_from_its_page(browser: Browser, records: Database, name: str, fresh: str) -> None:
    path = f"/runs/{run_id(records, name)}"
    assert browser.send(f"{path}/retry", {"fresh": fresh}, on=path).status_code == 303
    with records.reading() as session:
        run = session.exec(select(Run).where(Run.name == name)).one()
    assert (run.status, run.fresh_start, run.error) == (RunStatus.QUEUED, fresh == "true", None)


def test_a_completed_run_is_not_retried(browser: Browser, records: Database) -> None:
    path = f"/runs/{run_id(records, BEST)}"
    assert browser.send(f"{path}/retry", {}, on=path).status_code == 409
    assert status_of(records, BEST) == RunStatus.COMPLETED


def test_name_notes_and_tags_are_edited(browser: Browser, records: Database) -> None:
    path = f"/runs/{run_id(records, BEST)}"
    browser.send(f"{path}/edit", {"name": "Longer", "notes": "a\r\nb", "tags": "best, best, long"}, on=path)
    with records.reading() as session:
        run = session.exec(select(Run).where(Run.name == "Longer")).one()
    assert (run.notes, run.tags) == ("a\nb", ["best", "long"])


def test_what_cannot_be_kept_stays_in_the_form(browser: Browser, records: Database) -> None:
    path = f"/runs/{run_id(records, BEST)}"
    answer = browser.send(f"{path}/edit", {"name": "x" * 300, "notes": "<kept>", "tags": ""}, on=path)
    assert answer.status_code == 422
    assert 'id="edit" open' in answer.text
    assert "At most 200 characters" in answer.text
    assert "&lt;kept&gt;" in answer.text
    assert f"<h1>{BEST} " in answer.text


def test_a_run_is_deleted_with_its_files(browser: Browser, records: Database, worked: Settings) -> None:
    number = run_id(records, CANCELLED)
    assert browser.send(f"/runs/{number}/delete", {}, on=f"/runs/{number}").headers["location"] == "/"
    browser.open(f"/runs/{number}", status=404)
    assert not worked.run_dir(number).exists()


def test_a_run_under_way_is_not_deleted(browser: Browser, records: Database) -> None:
    path = f"/runs/{run_id(records, RUNNING)}"
    assert browser.send(f"{path}/delete", {}, on=path).status_code == 409


def test_warnings_stand_above_everything_else(browser: Browser, records: Database) -> None:
    change(records, BEST, warnings=["2 layers are kept unquantised"])
    text = words(show(browser, records, BEST))
    assert text.index("2 layers are kept unquantised") < text.index("Base against fine-tuned")


def test_an_imported_run_shows_what_was_stated_and_nothing_else(browser: Browser, records: Database) -> None:
    change(
        records,
        BEST,
        origin="imported",
        config={"lora": {"r": 8}},
        fingerprint=None,
        perplexity_key=None,
        resources=None,
        results={"base": {"perplexity": 45.2}, "finetuned": {"perplexity": 17.8}, "improvement": {"perplexity": -0.6}},
    )
    text = words(show(browser, records, BEST))
    assert "LoRA r 8" in text
    assert "Learning rate" not in text
    assert "BLEU higher is better – – –" in text


@pytest.mark.parametrize("path", ["/runs/99", "/runs/0", "/runs/99/live", f"/runs/{10**30}", "/runs/first"])
def test_a_run_that_is_not_there_is_a_page_that_says_so(browser: Browser, path: str) -> None:
    assert "Not found" in words(browser.open(path, status=404))


def test_a_run_in_a_pause_says_when_it_tries_again_and_what_went_wrong(browser: Browser, records: Database) -> None:
    due = lease(20)
    with records.writing() as session:
        first = session.exec(select(Run).where(Run.name == QUEUED)).one()
        reason = "Something went wrong"
        session.add(Attempt(run_id=first.id, number=1, worker="w", status="queued", reason=reason, cause="unexpected"))
        session.commit()
    change(records, QUEUED, attempt=1, not_before_boot=due.boot, not_before=due.until)
    text = words(show(browser, records, QUEUED))
    assert re.search(r'Tries again in (20|1\d) s: attempt 1 ended with "Something went wrong"', text)
    assert "Something went wrong unexpected" in text  # among the attempts, with its code
    assert re.search(r"tries again in (20|1\d) s", words(browser.open("/queue")))
    assert re.search(r"attempt 2 in (20|1\d) s", words(browser.open("/")))


def test_a_run_whose_worker_is_silent_says_so_everywhere(browser: Browser, records: Database) -> None:
    change(records, RUNNING, lease_boot="another boot", lease_until=1.0)
    for page in (show(browser, records, RUNNING), browser.open("/queue")):
        assert "no word from its worker" in words(page)


def test_a_clock_that_was_set_back_makes_no_time_negative(browser: Browser, records: Database) -> None:
    with records.reading() as session:
        started = session.exec(select(Run.started_at).where(Run.name == COMPLETED)).one()
    assert started
    change(records, COMPLETED, finished_at=started - timedelta(hours=1))
    text = words(show(browser, records, COMPLETED))
    assert "took 0 s" in text


def test_an_attempt_that_is_over_is_not_called_queued(browser: Browser, records: Database) -> None:
    """Its run went back to the queue; what became of the attempt itself is another word."""
    with records.writing() as session:
        first = session.exec(select(Run).where(Run.name == QUEUED)).one()
        ends: list[dict[str, Any]] = [{"died": True, "cause": "killed"}, {"cause": "io_error"}, {}]
        for number, end in enumerate(ends, start=1):
            session.add(Attempt(run_id=first.id, number=number, worker="w", status="queued", reason="Over", **end))
        session.commit()
    text = words(show(browser, records, QUEUED)).split("What happened")[1]
    assert re.findall("Stopped|Broke off|Died", text) == ["Stopped", "Broke off", "Died"]  # the last one first
    assert "Queued" not in text
