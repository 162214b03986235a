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
from tests.browser.conftest import Open, serving, wait_for
from tests.browser.seed import seed

pytestmark = pytest.mark.browser

COMPLETED, RUNNING, FAILED = 8, 9, 12


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    seed(Settings(data_dir=tmp_path))
    return tmp_path


@pytest.fixture
def worker(data_dir: Path) -> Iterator[Database]:
    database = connect(Settings(data_dir=data_dir).database)
    yield database
    database.dispose()


@pytest.fixture
def address(data_dir: Path) -> Iterator[str]:
    with serving(data_dir) as address:
        yield address


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
    page.evaluate("document.body.dataset.same = 'page'")
    added: list[int] = []

    def note(response: Any) -> None:
        if "/metrics" in response.url and "after=" in response.url:
            added.extend(len(series["steps"]) for series in response.json()["series"])

    page.on("response", note)
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
    assert 11 in added
    assert sum(added) < 100, "points were sent that the page had already"


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
    expect(page.locator("svg.curve")).to_be_visible()
    expect(page.locator(".small-multiples")).to_be_hidden()
    expect(page.locator("[data-follow]")).to_be_hidden()
    page.click("summary:has-text('Values')")
    expect(page.locator(".values tbody tr").last).to_contain_text("487")
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


def test_the_log_is_searched_and_followed(seeded: str, open_page: Open) -> None:
    page = open_page(f"{seeded}/runs/{RUNNING}")
    log = page.locator("[data-log]")
    expect(page.locator("[data-follow]")).to_have_attribute("aria-pressed", "true")
    at_end = "box => box.scrollHeight - box.scrollTop - box.clientHeight < 8"
    assert log.evaluate(at_end)
    log.evaluate("box => { box.scrollTop = 0 }")
    expect(page.locator("[data-follow]")).to_have_attribute("aria-pressed", "false")
    page.fill("[data-log-search]", "step 412")
    expect(log.locator(".l:visible")).to_have_count(1)


def test_a_remedy_is_one_change_from_the_failed_runs_settings(seeded: str, open_page: Open) -> None:
    page = open_page(f"{seeded}/runs/{FAILED}", width=390, scheme="dark")
    page.click("text=Batch 4, accumulation 8")
    expect(page.locator('[id="training.per_device_train_batch_size"]')).to_have_value("4")
    expect(page.locator('[id="quantization.method"]')).to_have_value("none")
    expect(page.locator("#launch-facts")).to_contain_text("4 × 8 = 32")
