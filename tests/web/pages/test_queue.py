"""The queue's page: its order, who works, and the ways to change what waits."""

import re

from sqlalchemy import select
from sqlmodel import col, delete

from app import waiting
from app.db import Database
from app.leases import lease
from app.models import Run, Worker
from app.status import RunStatus
from tests.web.pages.conftest import Browser


def order(records: Database) -> list[str]:
    with records.reading() as session:
        return [run.name for run, _ in waiting.waiting(session)]


def test_it_shows_what_runs_what_waits_and_who_works(browser: Browser) -> None:
    page = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", browser.open("/queue")))
    assert "1 running · 2 waiting · 1 worker at work or ready" in page
    assert "step 487 of 785" in page
    assert page.index("Exp 6, seed 43") < page.index("Exp 6, seed 44")
    assert "gpu0 Tesla T4" in page
    assert "4.6 of 15.8 GB" in page


def test_a_worker_without_a_sign_of_life_is_gone(browser: Browser, records: Database) -> None:
    with records.writing() as session:
        worker = session.get(Worker, "gpu0")
        assert worker
        worker.beat_until = 0.0
        session.commit()
    page = browser.open("/queue")
    assert "gone: no sign of life" in page
    assert "0 workers at work or ready" in page


def test_a_queue_of_runs_in_a_pause_waits_for_no_worker(browser: Browser, records: Database) -> None:
    due = lease(600)
    with records.writing() as session:
        session.execute(delete(Run).where(col(Run.status) == RunStatus.RUNNING))
        first, second = session.scalars(select(Run).where(col(Run.status) == RunStatus.QUEUED)).all()
        first.not_before_boot, first.not_before = due.boot, due.until
        session.commit()
        assert "starts as soon as a worker is there" in browser.open("/queue")
        second.not_before_boot, second.not_before = due.boot, due.until
        session.commit()
    assert "starts when its pause is over" in browser.open("/queue")


def test_a_run_is_moved_up(browser: Browser, records: Database) -> None:
    assert browser.send("/queue/11/move", {"to": "up"}, on="/queue").headers["location"] == "/queue"
    assert order(records) == ["Exp 6, seed 44", "Exp 6, seed 43"]


def test_a_run_is_moved_to_the_front(browser: Browser, records: Database) -> None:
    with records.writing() as session:
        first = session.get(Run, 10)
        assert first
        session.add(Run(experiment_id=first.experiment_id, name="Last", config=first.config, queue_position=99.0))
        session.commit()
    run_id = browser.open("/queue").rpartition("/queue/")[2].partition("/")[0]
    browser.send(f"/queue/{run_id}/move", {"to": "first"}, on="/queue")
    assert order(records) == ["Last", "Exp 6, seed 43", "Exp 6, seed 44"]
    browser.send(f"/queue/{run_id}/move", {"to": "down"}, on="/queue")
    assert order(records) == ["Exp 6, seed 43", "Last", "Exp 6, seed 44"]


def test_moving_the_last_one_down_changes_nothing(browser: Browser, records: Database) -> None:
    browser.send("/queue/11/move", {"to": "down"}, on="/queue")
    assert order(records) == ["Exp 6, seed 43", "Exp 6, seed 44"]


def test_moving_one_that_has_started_just_shows_the_queue(browser: Browser, records: Database) -> None:
    assert browser.send("/queue/9/move", {"to": "up"}, on="/queue").status_code == 303
    assert order(records) == ["Exp 6, seed 43", "Exp 6, seed 44"]


def test_a_waiting_run_is_cancelled(browser: Browser, records: Database) -> None:
    assert browser.send("/queue/10/cancel", {}, on="/queue").status_code == 303
    with records.reading() as session:
        run = session.get(Run, 10)
        assert run
        assert run.status == RunStatus.CANCELLED


def test_the_part_that_is_refreshed_is_the_one_the_page_holds(browser: Browser) -> None:
    def substance(html: str) -> str:
        return re.sub(r'name="_token" value="[^"]+"', "", html)

    assert substance(browser.open("/live/queue")) in substance(browser.open("/queue"))


def test_an_empty_queue_says_so(new_browser: Browser) -> None:
    page = new_browser.open("/queue")
    assert "Nothing is waiting." in page
    assert "No worker has come up yet." in page
