"""How long runs will take: from finished runs of their kind on this hardware, else no number."""

from datetime import timedelta

from app import leases
from app.db import Database, now
from app.launch import estimates
from app.launch.estimates import Kind, Past
from app.models import Dataset, Worker
from app.run_config import RunConfig, parse
from app.settings import Settings
from app.status import RunStatus
from tests.stored_runs import add_run, config

KIND = Kind(("a/b", "nf4", 512), "CPU")


def asked(base_model: str = "some/model", **training: object) -> RunConfig:
    return parse({"model": {"base_model": base_model}, "data": {"dataset": 1}, "training": training})


def finish(database: Database, device: str = "CPU (2 threads)", rate: float = 100.0, **fields: object) -> None:
    resources = {"device": device, "seconds_per_1000_examples": rate, "train_seconds": 30.0}
    times = {"started_at": now() - timedelta(seconds=40), "finished_at": now(), "attempt": 1}
    add_run(database, RunStatus.COMPLETED, resources=resources, **{**times, **fields})


def estimate(database: Database, settings: Settings, *configs: RunConfig) -> estimates.Estimate:
    with database.reading() as session:
        return estimates.estimate(session, settings, configs)


def test_time_follows_the_examples_and_the_middle_of_what_was_measured() -> None:
    past = [Past(KIND, 100, 20), Past(KIND, 110, 10), Past(KIND, 900, 30)]
    assert estimates.seconds(past, KIND, 2000) == 2 * 110 + 20


def test_another_kind_says_nothing() -> None:
    past = [Past(Kind(("a/b", "none", 512), "CPU"), 100, 0), Past(Kind(("a/b", "nf4", 512), "Tesla T4"), 1, 0)]
    assert estimates.seconds(past, KIND, 1000) is None


def test_examples_are_rows_times_epochs_unless_steps_are_given() -> None:
    assert estimates.examples(asked(num_train_epochs=1.5), 200) == 300
    assert estimates.examples(asked(max_steps=10, per_device_train_batch_size=2), 200) == 80


def test_nothing_finished_is_no_estimate(database: Database, settings: Settings, dataset: Dataset) -> None:
    assert estimate(database, settings, asked()).total is None


def test_runs_of_the_kind_are_added_up_and_others_are_counted_as_unknown(
    database: Database, settings: Settings, dataset: Dataset
) -> None:
    finish(database)
    finish(database, rate=9.0, config=config(data__max_length=64))
    finish(database, rate=9.0, origin="imported")
    finish(database, rate=9.0, attempt=2)
    one = asked(num_train_epochs=1)
    found = estimate(database, settings, one, one, asked("other/model"))
    rows = 60 - dataset.eval_rows
    each = rows * 100 / 1000 + 10
    assert found.total is not None
    assert abs(found.total - 2 * each) < 0.1
    assert (found.based_on, found.unknown, found.device) == (1, 1, "CPU")


def test_the_hardware_is_that_of_a_living_worker(database: Database, settings: Settings, dataset: Dataset) -> None:
    finish(database)
    lease = leases.lease(60)
    worker = Worker(
        name="gpu0", hostname="h", pid=1, version="1", device="Tesla T4", boot=lease.boot, beat_until=lease.until
    )
    with database.writing() as session:
        session.add(worker)
        session.commit()
    found = estimate(database, settings, asked())
    assert (found.total, found.device) == (None, "Tesla T4")
