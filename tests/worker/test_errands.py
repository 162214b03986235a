"""Errands: done beside training by a process that dies with its worker, ended on request, never in a run's way."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session

from app import errand_claims, errands, runs
from app.data.rows import ROWS_FILE, read_rows
from app.db import Database, now
from app.errors import NotFound
from app.leases import lease
from app.models import Dataset, Errand, Run
from app.processes import Identity
from app.settings import ROOT, SAMPLES, Settings
from app.status import ErrandStatus
from worker import errand_child, errand_jobs
from worker import errands as doing
from worker.context import Context
from worker.errand_jobs import QUICK, Kind
from worker.errands import Light, Tidy
from worker.finetune.reporter import Silent
from worker.finetune.tokenizer import load_tokenizer, stop_ids
from worker.finetune.tokens import encode
from worker.finetune.turns import make_template
from worker.tasks import work

SAMPLE = "sample/clinic-2m"
FAKE = Path(__file__).with_name("fake_errand.py")
Look = Callable[[int], Errand]


@pytest.fixture
def errand_of(database: Database) -> Look:
    def read(errand_id: int) -> Errand:
        with database.reading() as session:
            errand = errands.get(session, errand_id)
            session.expunge(errand)
            return errand

    return read


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three kinds, one of which needs the device, done by the stand-in."""
    monkeypatch.setattr(errand_child, "COMMAND", (str(FAKE),))
    for name, needs_device in (("easy", False), ("slow", False), ("big", True)):
        kind = Kind(lambda _session, _settings, _errand: {}, 60, needs_device=needs_device, hub_token=needs_device)
        monkeypatch.setitem(errand_jobs.KINDS, name, kind)
    monkeypatch.setattr(doing, "QUICK", frozenset({"easy"}))
    monkeypatch.setattr(doing, "LONG", frozenset({"slow"}))
    monkeypatch.setattr(doing, "HEAVY", frozenset({"big"}))


@pytest.fixture
def at_work(context: Context, stand_in: None) -> Iterator[Context]:
    with doing.running(context):
        yield context


def ask(database: Database, kind: str = "easy", **request: Any) -> int:
    with database.writing() as session:
        errand = errands.ask(session, kind, request)
        assert errand.id
        return errand.id


def ask_preview(database: Database, of: Dataset, **request: Any) -> int:
    given = {"dataset": of.id, "row": 0, "model": SAMPLE, "prompt_template": "auto", "max_length": 128}
    return ask(database, "preview", **given | request)


def cancel_run(database: Database, run_id: int) -> None:
    with database.writing() as session:
        runs.cancel_run(session, run_id)


def until(is_so: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def over(look: Look, errand_id: int) -> Errand:
    until(lambda: look(errand_id).status not in errands.OPEN)
    return look(errand_id)


def error_of(errand: Errand) -> dict[str, str]:
    assert errand.status == "failed"
    assert errand.error
    return errand.error


def test_a_row_is_shown_as_the_model_will_read_it(
    context: Context, database: Database, dataset: Dataset, errand_of: Look
) -> None:
    first, second = ask_preview(database, dataset), ask_preview(database, dataset, row=3)
    too_far = ask_preview(database, dataset, row=60)
    with doing.running(context):
        answer = over(errand_of, first).answer
        assert over(errand_of, second).status == "done"
        assert error_of(over(errand_of, too_far))["code"] == "no_row"
    assert answer
    assert "Count one one" in answer["text"]
    trained = "".join(token["text"] for token in answer["tokens"] if token["trained"])
    assert trained.startswith("The one comes before the one in this row of sixty")
    assert answer["tokens"][0]["special"]
    assert answer["tokens"][-1]["special"]
    assert answer["truncated"] == {"prompt_tokens": 0, "answer_tokens": 0}


def test_without_torch_the_tokens_are_those_of_a_run(
    context: Context, database: Database, dataset: Dataset, errand_of: Look, settings: Settings
) -> None:
    asked = ask_preview(database, dataset, row=5, max_length=40)
    with doing.running(context):
        answer = over(errand_of, asked).answer
    model = SAMPLES / "models" / "clinic-2m"
    tokenizer = load_tokenizer(model)
    row = list(read_rows(settings.dataset_dir(1) / ROWS_FILE))[5]
    [encoded] = encode([(5, row)], make_template("auto", tokenizer, stop_ids(model, tokenizer)), tokenizer, Silent())
    example = encoded.fit(40)
    assert answer
    assert [token["id"] for token in answer["tokens"]] == list(example.ids)
    assert [token["trained"] for token in answer["tokens"]] == [bool(counted) for counted in example.counted]


def test_what_is_wrong_with_a_request_is_said_in_words(
    context: Context, database: Database, dataset: Dataset, errand_of: Look
) -> None:
    away = ask_preview(database, dataset, model="organisation/away")
    gone = ask_preview(database, dataset, dataset=9)
    Light(context, "quick", QUICK).look()
    assert "not on this machine" in error_of(errand_of(away))["detail"]
    assert "no data set 9" in error_of(errand_of(gone))["detail"]


def test_a_light_one_is_done_while_a_run_trains_and_sees_no_gpu(
    at_work: Context, database: Database, errand_of: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    with at_work.device.place() as reached:
        assert reached()
        answer = over(errand_of, ask(database, answer={"found": 1})).answer
    assert answer == {"found": 1, "gpu": "", "token": False}


def test_a_long_one_does_not_keep_a_quick_one_waiting(
    at_work: Context, database: Database, errand_of: Look, tmp_path: Path
) -> None:
    slow = ask(database, "slow", until=str(tmp_path / "go on"))
    assert over(errand_of, ask(database)).status == "done"
    (tmp_path / "go on").touch()
    assert over(errand_of, slow).status == "done"


def test_one_process_answers_many_light_ones(
    at_work: Context, database: Database, errand_of: Look, tmp_path: Path
) -> None:
    files = [tmp_path / "first", tmp_path / "second"]
    for file in files:
        over(errand_of, ask(database, pid=str(file)))
    assert files[0].read_text() == files[1].read_text()


def test_how_far_it_is_shows_before_it_is_done(at_work: Context, database: Database, errand_of: Look) -> None:
    asked = ask(database, say=[{"partial": {"text": "Half"}}], sleep=0.6, answer={"text": "Half a word"})
    until(lambda: errand_of(asked).answer == {"text": "Half"})
    assert errand_of(asked).status == "running"
    answer = over(errand_of, asked).answer
    assert answer
    assert answer["text"] == "Half a word"


def test_a_heavy_one_waits_for_the_run_and_says_so(
    at_work: Context, database: Database, errand_of: Look, launch: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "a secret")
    run_id = launch(steps=10_000)
    training = threading.Thread(target=work, args=(at_work,))
    training.start()
    until(lambda: at_work.claim)
    asked = ask(database, "big")
    until(lambda: errand_of(asked).waits_for)
    assert f"Run {run_id} (r) is training" in (errand_of(asked).waits_for or "")
    assert errand_of(asked).status == "queued"
    cancel_run(database, run_id)
    training.join()
    done = over(errand_of, asked)
    assert (done.answer, done.waits_for) == ({"gpu": os.environ.get("CUDA_VISIBLE_DEVICES"), "token": True}, None)


def test_no_run_begins_while_a_heavy_one_has_the_device(
    at_work: Context,
    database: Database,
    errand_of: Look,
    launch: Callable[..., int],
    run_of: Callable[[int], Run],
    tmp_path: Path,
) -> None:
    asked = ask(database, "big", until=str(tmp_path / "go on"))
    until(lambda: errand_of(asked).status == "running")
    run_id = launch(steps=1)
    training = threading.Thread(target=work, args=(at_work,))
    training.start()
    time.sleep(0.3)
    assert run_of(run_id).status == "queued"
    (tmp_path / "go on").touch()
    training.join()
    assert run_of(run_id).status == "completed"
    assert errand_of(asked).status == "done"


def test_a_queue_of_runs_lets_a_heavy_one_pass_between_two(
    at_work: Context, database: Database, errand_of: Look, launch: Callable[..., int], run_of: Callable[[int], Run]
) -> None:
    first, last = launch(steps=10_000), launch(steps=1)
    training = threading.Thread(target=work, args=(at_work,))
    training.start()
    until(lambda: run_of(first).status == "running")
    asked = ask(database, "big")
    until(lambda: errand_of(asked).waits_for)
    cancel_run(database, first)
    done = over(errand_of, asked)
    training.join()
    assert done.finished_at
    assert (run_of(first).finished_at or now()) < done.finished_at < (run_of(last).started_at or now())


@pytest.mark.parametrize("kind", ["easy", "big"])
def test_one_that_is_called_off_ends_at_once(
    at_work: Context, database: Database, errand_of: Look, tmp_path: Path, kind: str
) -> None:
    asked = ask(database, kind, sleep=60, pid=str(tmp_path / "pid"))
    until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    with database.writing() as session:
        assert errands.cancel(session, asked).status == "cancelled"
    pid = int((tmp_path / "pid").read_text())
    until(lambda: Identity.of(pid) is None)
    assert errand_of(asked).status == "cancelled"
    assert over(errand_of, ask(database, kind)).status == "done"


def test_a_process_that_dies_or_takes_too_long_is_told_of(
    at_work: Context, database: Database, errand_of: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    died = error_of(over(errand_of, ask(database, exit=9)))
    assert (died["code"], died["detail"][:19]) == ("errand_died", "Its exit code is 9.")
    with monkeypatch.context() as patched:
        patched.setitem(errand_jobs.KINDS, "easy", Kind(lambda _a, _b, _c: {}, 0.3))
        assert error_of(over(errand_of, ask(database, sleep=60)))["code"] == "too_long"
    assert over(errand_of, ask(database)).status == "done"


def test_a_worker_that_stops_leaves_it_to_the_next_one(
    context: Context, stand_in: None, database: Database, errand_of: Look
) -> None:
    with doing.running(context):
        asked = ask(database, sleep=60)
        until(lambda: errand_of(asked).status == "running")
        context.stopping.set()
    assert (errand_of(asked).status, errand_of(asked).tries) == ("queued", 0)


def test_one_whose_worker_was_lost_is_done_again_and_then_given_up(
    context: Context, database: Database, errand_of: Look
) -> None:
    asked = ask(database)
    for status in ("queued", "failed"):
        with database.writing() as session:
            assert errand_claims.claim(session, {"easy"}, "gone", lease(-1))
        Tidy(context).sweep()
        assert errand_of(asked).status == status
    assert error_of(errand_of(asked))["code"] == "worker_lost"


def test_what_a_lost_worker_says_afterwards_changes_nothing(database: Database, errand_of: Look) -> None:
    asked = ask(database)
    with database.writing() as session:
        taken = errand_claims.claim(session, {"easy"}, "slow", lease(-1))
        assert taken
        errand_claims.recover(session, taken[0])
        assert errand_claims.claim(session, {"easy"}, "other", lease(60))
        assert not errand_claims.finish(session, taken[0], {"late": True})
    assert (errand_of(asked).status, errand_of(asked).answer) == ("running", None)


def test_the_process_dies_with_its_worker(
    settings: Settings, database: Database, tmp_path: Path, stand_in: None
) -> None:
    asked = ask(database, "preview", sleep=60, pid=str(tmp_path / "pid"))
    program = (
        "import sys, threading; from pathlib import Path\n"
        "from app.db import connect; from app.queue import celery_app; from app.settings import Settings\n"
        "from worker import errand_child, errand_jobs, errands; from worker.context import Context\n"
        f"errand_child.COMMAND = ({str(FAKE)!r},)\n"
        "errand_jobs.KINDS['preview'] = errand_jobs.Kind(lambda a, b, c: {}, 60)\n"
        "settings = Settings()\n"
        "context = Context(settings, connect(settings.database), celery_app('memory://'), 'w', 'q')\n"
        "with errands.running(context): threading.Event().wait()\n"
    )
    environment = os.environ | {"TUNEBOARD_DATA_DIR": str(settings.data_dir)}
    worker = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, env=environment)
    until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    pid = int((tmp_path / "pid").read_text())
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    until(lambda: Identity.of(pid) is None, 10)
    assert asked


def test_old_answers_of_light_ones_go(context: Context, stand_in: None, database: Database, errand_of: Look) -> None:
    old, young, kept = ask(database), ask(database), ask(database, "big")
    with database.writing() as session:
        for errand_id in (old, kept):
            _end(session, errand_id, now() - timedelta(hours=2))
        _end(session, young, now())
        session.commit()
    Tidy(context).sweep()
    with pytest.raises(NotFound):
        errand_of(old)
    assert errand_of(young)
    assert errand_of(kept)


def _end(session: Session, errand_id: int, when: Any) -> None:
    errand = errands.get(session, errand_id)
    errand.status, errand.finished_at = ErrandStatus.DONE, when
