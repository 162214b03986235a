"""How long runs will take: from finished runs of their kind on this hardware, else no number."""

from datetime import timedelta

from app.db import Database, now
from app.launch import past as the_past
from app.launch.past import Kind, Past
from app.run_config import RunConfig, parse
from app.status import RunStatus
from tests.stored_runs import add_run

KIND = Kind(("a/b", "nf4", 512), "CPU")


def asked(base_model: str = "some/model", **training: object) -> RunConfig:
    return parse({"model": {"base_model": base_model}, "data": {"dataset": 1}, "training": training})


def finish(database: Database, device: str = "CPU (2 threads)", rate: float = 100.0, **fields: object) -> None:
    resources = {"device": device, "seconds_per_1000_examples": rate, "train_seconds": 30.0}
    times = {"started_at": now() - timedelta(seconds=40), "finished_at": now(), "attempt": 1}
    add_run(database, RunStatus.COMPLETED, resources=resources, **{**times, **fields})


def test_time_follows_the_examples_and_the_middle_of_what_was_measured() -> None:
    past = [Past(KIND, 100, 20), Past(KIND, 110, 10), Past(KIND, 900, 30)]
    assert the_past.seconds(past, KIND, 2000) == 2 * 110 + 20


def test_another_kind_says_nothing() -> None:
    past = [Past(Kind(("a/b", "none", 512), "CPU"), 100, 0), Past(Kind(("a/b", "nf4", 512), "Tesla T4"), 1, 0)]
    assert the_past.seconds(past, KIND, 1000) is None


def test_examples_are_rows_times_epochs_unless_steps_are_given() -> None:
    assert the_past.examples(asked(num_train_epochs=1.5), 200) == 300
    assert the_past.examples(asked(max_steps=10, per_device_train_batch_size=2), 200) == 80
