"""A run's page in a browser, while the run goes on: a writer in the test stands for the worker."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlmodel import select

from app.db import Database, connect
from app.models import MetricName, MetricPoint, Run
from app.settings import ROOT, Settings
from app.status import RunStatus
from tests.browser.conftest import Open, wait_for

pytestmark = pytest.mark.browser

COMPLETED, RUNNING, FAILED = 8, 9, 12


@pytest.fixture
def worker(data_dir: Path) -> Iterator[Database]:
    database = connect(Settings(data_dir=data_dir).database)
    yield database
    database.dispose()


def write(database: Database, run_id: int, **values: Any) -> None:
    with database.writing() as session:
        run = session.get(Run, run_id)
        assert run
        for name, value in values.items():
            setattr(run, name, value)
        session.commit()


def write_points(database: Database, run_id: int, steps: range, loss: float) -> None:
    with database.writing() as session:
        name_id = session.exec(select(MetricName.id).where(MetricName.name == "train/loss")).one() or 0
        for step in steps:
            point = MetricPoint(
                run_id=run_id, name_id=name_id, step=step, value=loss, time=step * 6.3, epoch=step / 157
            )
            session.merge(point)
        session.commit()


def fact(page: Page, name: str) -> Any:
    return page.locator("#progress .facts div", has_text=name)


def test_progress_points_and_log_come_while_the_page_is_open(
    address: str, data_dir: Path, worker: Database, open_page: Open
) -> None:
    page = open_page(f"{address}/runs/{RUNNING}")
    canvas = page.wait_for_selector(".tall canvas")
    page.wait_for_timeout(500)
    page.evaluate("document.body.dataset.same = 'page'")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.removeprefix(address)))
    write_points(worker, RUNNING, range(489, 500), 1.5)
    with (Settings(data_dir=data_dir).run_dir(RUNNING) / "run.log").open("a") as log:
        log.write("2026-11-22T15:00:00Z WARNING row 1873 was cut\n")
    write(worker, RUNNING, step=499, fraction=0.635, eta_seconds=120.0)

    expect(fact(page, "Step")).to_contain_text("499", timeout=15_000)
    expect(fact(page, "Train loss")).to_contain_text("1.50")
    expect(fact(page, "Left")).to_contain_text("2.0 min")
    expect(page.locator("[data-log] .warn")).to_contain_text("row 1873 was cut")
    assert canvas is not None
    assert canvas.evaluate("canvas => canvas.isConnected"), "the chart was drawn anew"
    assert page.evaluate("document.body.dataset.same") == "page"
    page.hover(".tall .plot", position={"x": 560, "y": 200})
    expect(page.locator(".tall .tip")).to_contain_text(re.compile(r"step 49\d"))
    told = {path.partition("?")[0] for path in asked}
    assert told <= {"/live/chip", f"/runs/{RUNNING}/figures", f"/runs/{RUNNING}/log/lines"}, "points came by the stream"


# A page of this script has no stream of its own: whoever hears something has it from the shared one.
NO_OWN_STREAM = "window.EventSource = class { constructor() { throw new Error('a stream of its own') } }"
NO_SHARED_WORKER = "delete window.SharedWorker;"
STREAM_REFUSED = """
window.EventSource = class extends EventTarget {
  static CLOSED = 2;
  readyState = 2;
  constructor() { super(); setTimeout(() => this.dispatchEvent(new Event('error')), 10); }
  close() {}
};
"""


def test_all_tabs_share_one_stream(address: str, worker: Database, open_page: Open) -> None:
    first = open_page(f"{address}/runs/{RUNNING}")
    first.context.add_init_script(NO_OWN_STREAM)
    second = first.context.new_page()
    faults: list[str] = []
    second.on("pageerror", lambda error: faults.append(str(error)))
    second.goto(f"{address}/runs/{RUNNING}")
    first.reload()
    for page in (first, second):
        page.wait_for_selector(".tall canvas")
    write(worker, RUNNING, step=500, fraction=0.64)
    for page in (first, second):
        expect(fact(page, "Step")).to_contain_text("500", timeout=4_000)
    first.close()
    write(worker, RUNNING, step=501, fraction=0.64)
    expect(fact(second, "Step")).to_contain_text("501", timeout=4_000)
    assert faults == []


@pytest.mark.parametrize("script", [NO_SHARED_WORKER, NO_SHARED_WORKER + STREAM_REFUSED], ids=["own stream", "polling"])
def test_a_browser_without_shared_workers_or_streams_is_kept_up_to_date(
    address: str, worker: Database, open_page: Open, script: str
) -> None:
    page = open_page(f"{address}/runs/{RUNNING}")
    page.context.add_init_script(script)
    page.reload()
    page.wait_for_selector(".tall canvas")
    write_points(worker, RUNNING, range(489, 500), 1.25)
    write(worker, RUNNING, step=499, fraction=0.635)
    expect(fact(page, "Step")).to_contain_text("499", timeout=10_000)
    expect(fact(page, "Train loss")).to_contain_text("1.25")
    page.hover(".tall .plot", position={"x": 560, "y": 200})
    expect(page.locator(".tall .tip")).to_contain_text(re.compile(r"step 49\d"))


def test_a_series_that_nobody_knew_of_gets_its_chart(address: str, worker: Database, open_page: Open) -> None:
    page = open_page(f"{address}/runs/{RUNNING}")
    page.wait_for_selector(".tall canvas")
    with worker.writing() as session:
        name = MetricName(name="own/thing")
        session.add(name)
        session.flush()
        session.add(MetricPoint(run_id=RUNNING, name_id=name.id, step=488, value=7.5, time=1.0, epoch=3.1))
        session.commit()
    write(worker, RUNNING, step=488)
    expect(page.locator('[data-chart="own/thing"] canvas')).to_be_visible(timeout=10_000)
    page.click("#charts summary:has-text('Values')")
    expect(page.locator(".values th").last).to_have_text("own/thing")


def test_the_end_changes_the_page_in_place(address: str, worker: Database, open_page: Open) -> None:
    page = open_page(f"{address}/runs/{RUNNING}")
    page.wait_for_selector(".tall canvas")
    page.evaluate("document.body.dataset.same = 'page'")
    with worker.reading() as session:
        done = session.get(Run, COMPLETED)
        assert done
        ends = {"results": done.results, "resources": done.resources, "finished_at": done.finished_at}
    write(worker, RUNNING, status=RunStatus.COMPLETED, stage=None, fraction=1.0, **ends)
    expect(page.locator(".hero")).to_contain_text("−60.6 %", timeout=15_000)
    expect(page.locator("h1")).to_contain_text("Completed")
    expect(page.locator(".tall canvas")).to_be_visible()
    assert page.evaluate("document.body.dataset.same") == "page"


def test_a_failure_comes_with_what_to_do(address: str, worker: Database, open_page: Open) -> None:
    page = open_page(f"{address}/runs/{RUNNING}")
    error = {
        "code": "nan_loss",
        "title": "The loss is not a number",
        "detail": "At step 488.",
        "hint": "Lower the rate.",
    }
    write(worker, RUNNING, status=RunStatus.FAILED, error=error)
    problem = page.locator("#problem")
    expect(problem).to_contain_text("nan_loss", timeout=15_000)
    expect(problem).to_contain_text("while training, at step 487 of 785")
    expect(problem).to_contain_text("Lower the rate.")


def test_text_that_is_being_typed_is_left_alone(address: str, worker: Database, open_page: Open) -> None:
    page = open_page(f"{address}/runs/{RUNNING}")
    page.click("#edit summary")
    page.fill("#edit-notes", "half a thou")
    write(worker, RUNNING, status=RunStatus.CANCELLED, stage=None)
    page.wait_for_timeout(2000)
    expect(page.locator("#edit-notes")).to_be_visible()
    page.keyboard.type("ght")
    page.click("button:has-text('Save')")
    expect(page.locator(".page-head .sub")).to_contain_text("half a thought")


@contextmanager
def server_at(port: int, data_dir: Path) -> Iterator[None]:
    environment = os.environ | {"TUNEBOARD_DATA_DIR": str(data_dir), "TUNEBOARD_PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-m", "app.web.server"], cwd=ROOT, env=environment)
    try:
        wait_for(f"http://127.0.0.1:{port}/login", process)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def test_a_page_outlives_a_restart_of_the_server(
    data_dir: Path, worker: Database, open_page: Open, chromium: Any
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Not by open_page: that the server is away for a moment is an error in the browser's console.
    page = chromium.new_page()
    with server_at(port, data_dir):
        page.goto(f"http://127.0.0.1:{port}/runs/{RUNNING}")
        expect(fact(page, "Step")).to_contain_text("487")
    write(worker, RUNNING, step=700, fraction=0.89)
    with server_at(port, data_dir):
        expect(fact(page, "Step")).to_contain_text("700", timeout=20_000)
        page.reload()
        expect(fact(page, "Step")).to_contain_text("700")
        page.close()


def test_without_scripts_everything_but_the_charts_is_there(address: str, worker: Database, open_page: Open) -> None:
    page = open_page(f"{address}/runs/{RUNNING}", javascript=False)
    expect(page.locator(".tall svg.curve")).to_be_visible()
    expect(page.locator(".small-multiples svg")).to_have_count(5)
    expect(page.locator("[data-follow]")).to_be_hidden()
    page.click("summary:has-text('Values')")
    expect(page.locator(".values tbody tr").last).to_contain_text("487")
    page.fill("[data-log-find] input", "step 412")
    page.click("[data-log-find] button:has-text('Find')")
    expect(page.locator("[data-log] .l")).to_have_count(1)
    page.click("[data-log] .l a")
    expect(page.locator("[data-log] .l")).to_have_count(87)
    page.click("button:has-text('Cancel run')")
    expect(page.locator("button:has-text('Cancelling')")).to_be_disabled()
    with worker.reading() as session:
        run = session.get(Run, RUNNING)
        assert run
        assert run.cancel_requested
    page.goto(f"{address}/runs/{COMPLETED}")
    page.click("text=Next rows")
    expect(page.locator("#answers .pager")).to_contain_text("6 to 10 of 250")
    page.click("#delete summary")
    page.click("button:has-text('Delete run 8')")
    page.wait_for_url(f"{address}/")
    with worker.reading() as session:
        assert session.get(Run, COMPLETED) is None


def test_the_curve_is_shown_against_what_one_asks_for(seeded: str, open_page: Open) -> None:
    page = open_page(f"{seeded}/runs/{COMPLETED}")
    page.wait_for_selector(".tall canvas")
    page.click("button:has-text('Epoch')")
    expect(page.locator("[data-axis-name]")).to_have_text("epoch")
    expect(page.locator("button:has-text('Epoch')")).to_have_attribute("aria-pressed", "true")
    page.check("[data-log-axis]")
    page.locator("[data-smooth]").fill("0")
    page.hover(".tall .plot")
    expect(page.locator(".tall .tip")).to_contain_text(re.compile(r"epoch \d"))
    page.click("[data-theme-switch]")
    expect(page.locator(".tall canvas")).to_be_visible()


def test_the_log_is_searched_from_its_first_line_to_its_last_and_followed(
    address: str, data_dir: Path, worker: Database, open_page: Open
) -> None:
    lines = [f"2026-11-22T15:00:00Z INFO step {step} loss {step}" for step in range(2000)]
    (Settings(data_dir=data_dir).run_dir(RUNNING) / "run.log").write_text("\n".join(lines) + "\n")
    page = open_page(f"{address}/runs/{RUNNING}")
    log, follow = page.locator("[data-log]"), page.locator("[data-follow]")
    expect(follow).to_have_attribute("aria-pressed", "true")
    assert log.evaluate("box => box.scrollHeight - box.scrollTop - box.clientHeight < 8")
    page.fill("[data-log-find] input", "STEP 3 LOSS")
    expect(page.locator("[data-log-said]")).to_have_text("1 of 1 found")
    expect(log.locator(".hit")).to_contain_text("step 3 loss 3")
    expect(log.locator(".hit mark")).to_have_text("step 3 loss")
    expect(follow).to_have_attribute("aria-pressed", "false")
    page.fill("[data-log-find] input", "loss 199")
    expect(page.locator("[data-log-said]")).to_have_text("11 of 11 found")
    page.keyboard.press("Enter")
    expect(log.locator(".hit")).to_contain_text("loss 199")
    page.click("[data-find='-1']")
    expect(log.locator(".hit")).to_contain_text("loss 1999")
    page.click("[data-find='1']")
    page.click("[data-later]")
    expect(log.locator(".l", has_text="step 500 ")).to_be_attached()
    follow.click()
    expect(log.locator("[data-at]").last).to_contain_text("step 1999")
    page.click("[data-earlier]")
    expect(log.locator("[data-at]").first).to_contain_text("step 0")
    expect(page.locator("[data-earlier]")).to_have_count(0)


def test_a_remedy_is_one_change_from_the_failed_runs_settings(seeded: str, open_page: Open) -> None:
    page = open_page(f"{seeded}/runs/{FAILED}", width=390, scheme="dark")
    page.click("text=Batch 4, accumulation 8")
    expect(page.locator('[id="training.per_device_train_batch_size"]')).to_have_value("4")
    expect(page.locator('[id="quantization.method"]')).to_have_value("none")
    expect(page.locator("#launch-facts")).to_contain_text("4 × 8 = 32")


def test_the_ways_it_was_computed_name_their_settings(seeded: str, open_page: Open) -> None:
    page = open_page(f"{seeded}/runs/{COMPLETED}")
    page.get_by_role("link", name="Computation").click()
    ways = page.locator("#computed")
    expect(ways).to_contain_text("in one line")
    expect(ways.get_by_text("training.packing")).to_be_visible()


def test_what_can_be_done_with_the_adapter_is_said_in_whole_lines(seeded: str, open_page: Open) -> None:
    page = open_page(f"{seeded}/runs/{COMPLETED}")
    texts = page.locator("#exports .ways p").all()
    assert len(texts) >= 2
    for text in texts:
        box = text.bounding_box()
        assert box
        assert box["width"] > 300, text.inner_text()
