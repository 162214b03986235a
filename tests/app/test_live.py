"""What is new about runs since a moment ago."""

import json

from app import logs
from app.db import Database
from app.live import MOST_POINTS, News, fresh, joined, read_news
from app.models import Run
from app.settings import Settings
from app.status import RunStatus
from tests.stored_runs import add_points, add_run


def read(
    database: Database,
    settings: Settings,
    ids: set[int],
    since: dict[int, int] | None = None,
    active: bool = False,
) -> list[News]:
    with database.reading() as session:
        return read_news(session, settings, ids, active=active, since=since or {})


def test_a_run_comes_with_its_state_and_the_size_of_its_log(database: Database, settings: Settings) -> None:
    run_id = add_run(database, RunStatus.RUNNING, step=3, total_steps=10, stage="training")
    logs.path(settings, run_id).parent.mkdir(parents=True)
    logs.path(settings, run_id).write_text("line\n")
    (news,) = read(database, settings, {run_id})
    assert news.state["run"] == run_id
    assert (news.state["status"], news.state["stage"], news.state["log_bytes"]) == ("running", "training", 5)
    assert news.state["progress"]["step"] == news.step == 3


def test_points_come_from_the_readers_step_on(database: Database, settings: Settings) -> None:
    run_id = add_run(database, attempt=1, step=9)
    add_points(database, run_id, "train/loss", {1: 1.0, 2: 2.0, 3: None})
    add_points(database, run_id, "eval/loss", {2: 5.0})
    assert read(database, settings, {run_id})[0].points == {}, "none from its own step on"
    (news,) = read(database, settings, {run_id}, {run_id: 2})
    assert news.points == {
        "train/loss": [[2, 2.0, 4.0, 0.2], [3, None, 6.0, 0.3]],
        "eval/loss": [[2, 5.0, 4.0, 0.2]],
    }
    assert not news.truncated


def test_too_many_points_are_left_to_the_series(database: Database, settings: Settings) -> None:
    run_id = add_run(database, attempt=1)
    add_points(database, run_id, "train/loss", dict.fromkeys(range(MOST_POINTS + 1), 1.0))
    (news,) = read(database, settings, {run_id}, {run_id: 0})
    assert news.truncated
    assert len(news.points["train/loss"]) == MOST_POINTS


def test_what_is_active_is_found_and_what_is_gone_is_said(database: Database, settings: Settings) -> None:
    queued, running = add_run(database), add_run(database, RunStatus.RUNNING)
    ended = add_run(database, RunStatus.FAILED)
    assert [news.run_id for news in read(database, settings, set(), active=True)] == [running, queued]
    assert [news.run_id for news in read(database, settings, {ended}, active=True)] == [running, queued, ended]
    (news,) = read(database, settings, {77})
    assert (news.run_id, news.gone) == (77, True)


def test_a_second_of_a_fast_run_is_a_small_event(database: Database, settings: Settings) -> None:
    """New points only, with the digits that a curve shows: it goes to every open page."""
    run_id = add_run(database, RunStatus.RUNNING, attempt=1, step=1000, total_steps=100_000, stage="training")
    for name in ("train/loss", "train/learning_rate", "train/grad_norm", "train/tokens_per_second", "system/memory"):
        points = {step: 123456.789012345 / step for step in range(960, 1001)}
        add_points(database, run_id, name, dict(points))
    (before,) = read(database, settings, {run_id}, {run_id: 980})
    (news,) = read(database, settings, {run_id}, {run_id: 979})
    assert [point[0] for point in news.points["train/loss"]] == list(range(979, 1001))
    assert news.points["train/loss"][0] == [979, 126.105, 1958.0, 97.9]
    assert len(json.dumps(news.state | {"points": news.points})) < 5000
    changed = fresh(before, news)
    assert changed
    assert {name: len(points) for name, points in changed.points.items()} == dict.fromkeys(news.points, 1)


def news_of(step: int, points: dict[int, float], status: str = "running") -> News:
    state = {"status": status, "progress": {"step": step}}
    return News(1, state, {"l": [[at, value, 0.0, 0.0] for at, value in points.items()]} if points else {})


def test_only_what_differs_is_fresh() -> None:
    before = news_of(2, {1: 1.0, 2: 2.0})
    assert fresh(None, before) == before
    assert fresh(before, news_of(2, {2: 2.0})) is None
    changed = fresh(before, news_of(3, {2: 2.0, 3: 3.0}))
    assert changed is not None
    assert changed.points == {"l": [[3, 3.0, 0.0, 0.0]]}
    rewritten = fresh(before, news_of(2, {2: 9.0}))
    assert rewritten is not None
    assert rewritten.points == {"l": [[2, 9.0, 0.0, 0.0]]}
    ended = fresh(before, news_of(2, {}, "completed"))
    assert ended is not None
    assert ended.points == {}


def test_reading_goes_on_where_points_lag_behind_and_where_an_attempt_began_again() -> None:
    assert news_of(9, {7: 1.0}).read_on == 7
    assert news_of(9, {}).read_on == 9
    assert news_of(4, {9: 1.0}).read_on == 4


def test_changes_that_wait_become_one() -> None:
    both = joined(news_of(1, {1: 1.0}), news_of(2, {2: 2.0}))
    assert both.step == 2
    assert [point[0] for point in both.points["l"]] == [1, 2]
    many = joined(news_of(1, dict.fromkeys(range(MOST_POINTS), 1.0)), news_of(500, {500: 1.0}))
    assert many.truncated
    assert len(many.points["l"]) == MOST_POINTS
    assert many.points["l"][-1][0] == 500


def test_a_database_row_that_changes_is_news(database: Database, settings: Settings) -> None:
    run_id = add_run(database)
    (before,) = read(database, settings, {run_id})
    with database.writing() as session:
        session.get_one(Run, run_id).cancel_requested = True
        session.commit()
    (after,) = read(database, settings, {run_id})
    assert fresh(before, after) is not None
