"""What is said of a run before it is launched: from the base's shape, set right by what finished runs measured."""

from datetime import timedelta

import pytest

from app import leases
from app.db import Database, now
from app.launch import forecast, memory, model_shape, peaks
from app.launch.forecast import Forecast
from app.models import Dataset, Worker
from app.run_config import RunConfig, nest, parse
from app.settings import ROOT, Settings
from app.status import RunStatus
from tests.stored_runs import add_run

SAMPLE = "sample/clinic-2m"
SHAPE = model_shape.read(ROOT / "samples/models/clinic-2m")
CPU = "CPU (2 threads)"


def asked(base_model: str = SAMPLE, **changes: object) -> RunConfig:
    flat = {"model.base_model": base_model, "data.dataset": 1}
    return parse(nest(flat | {name.replace("__", "."): value for name, value in changes.items()}))


def finish(database: Database, *, peak: int, config: RunConfig | None = None, **fields: object) -> None:
    resources = {
        "device": CPU, "seconds_per_1000_examples": 100.0, "train_seconds": 30.0, "peak_memory_bytes": peak,
        "train_rows": 50,
        "row_tokens": {"quantiles": [40, 80, 100], "scored": 0.7},
    }  # fmt: skip
    times = {"started_at": now() - timedelta(seconds=40), "finished_at": now(), "attempt": 1}
    stored = (config or asked()).model_dump(mode="json")
    add_run(database, RunStatus.COMPLETED, resources=resources, config=stored, **{**times, **fields})


def work_on(database: Database, device: str, memory_bytes: int) -> None:
    lease = leases.lease(60)
    worker = Worker(
        name="w", hostname="h", pid=1, version="1", device=device, memory_total_bytes=memory_bytes, boot=lease.boot,
        beat_until=lease.until,
    )  # fmt: skip
    with database.writing() as session:
        session.add(worker)
        session.commit()


def said(database: Database, settings: Settings, *configs: RunConfig) -> list[Forecast]:
    with database.reading() as session:
        return forecast.forecast(session, settings, configs)


def test_nothing_is_said_where_nothing_is_known(database: Database, settings: Settings, dataset: Dataset) -> None:
    assert said(database, settings, asked()) == [Forecast(None)]


def test_without_a_finished_run_the_shape_alone_tells_of_memory(
    database: Database, settings: Settings, dataset: Dataset
) -> None:
    work_on(database, "Tesla T4", 15_800_000_000)
    [made] = said(database, settings, asked())
    assert SHAPE is not None
    assert made.memory is not None
    assert made.memory.fits == "yes"
    assert made.memory.bytes == sum(made.memory.parts.values())
    assert made.memory.parts["weights"] == round(memory.weights(asked().quantization, SHAPE, on_gpu=True))
    assert "no run of this base" in made.memory.basis
    assert made.memory.error is None
    assert made.time is None


def test_what_runs_took_beyond_the_shape_is_added(database: Database, settings: Settings, dataset: Dataset) -> None:
    finish(database, peak=600_000_000)
    [same, wider] = said(database, settings, asked(), asked(training__per_device_train_batch_size=8))
    assert same.memory is not None
    assert wider.memory is not None
    assert same.memory.bytes == 600_000_000, "the same settings take the same again"
    assert wider.memory.bytes > same.memory.bytes
    assert "1 finished run of this base" in same.memory.basis
    assert "up to 100 tokens," in same.memory.basis, "as that run counted them"


def test_another_base_sets_nothing_right(database: Database, settings: Settings, dataset: Dataset) -> None:
    finish(database, peak=9_000_000_000, config=asked("some/other"))
    [made] = said(database, settings, asked())
    assert made.memory is not None
    assert made.memory.parts["other"] == peaks.LIBRARIES


def test_a_base_that_is_not_here_has_no_memory_but_may_have_a_time(
    database: Database, settings: Settings, dataset: Dataset
) -> None:
    finish(database, peak=1, config=asked("some/other"))
    [made] = said(database, settings, asked("some/other", training__num_train_epochs=1.0))
    rows = 60 - dataset.eval_rows
    assert made.memory is None
    assert made.seconds == pytest.approx(rows * 100 / 1000 + 10, abs=0.1)


def test_forecasts_are_held_against_what_came(database: Database, settings: Settings, dataset: Dataset) -> None:
    earlier = {"memory": {"bytes": 540_000_000}, "time": {"seconds": 20.0}}
    finish(database, peak=600_000_000, forecast=earlier)
    finish(database, peak=600_000_000, forecast={"memory": {"bytes": 606_000_000}, "time": None})
    [made] = said(database, settings, asked())
    assert made.memory is not None
    assert made.memory.error is not None
    assert (made.memory.error.runs, made.memory.error.most) == (2, pytest.approx(0.1))
    assert made.memory.error.middle == pytest.approx(0.055)
    assert made.time is not None
    assert made.time.error is not None
    assert made.time.error.most == pytest.approx(0.5, abs=0.01)


def test_more_than_the_device_has_is_told(database: Database, settings: Settings, dataset: Dataset) -> None:
    work_on(database, "Tesla T4", 100_000_000)
    wide = asked(training__per_device_train_batch_size=512, training__gradient_checkpointing=False)
    [made] = said(database, settings, wide)
    assert made.memory is not None
    assert made.memory.fits == "no"


def test_auto_computes_activations_again_where_they_would_not_fit(
    database: Database, settings: Settings, dataset: Dataset
) -> None:
    work_on(database, "Tesla T4", 25_000_000)
    [kept, auto] = said(database, settings, asked(training__gradient_checkpointing=False), asked())
    assert kept.memory is not None
    assert auto.memory is not None
    assert auto.memory.recompute
    assert auto.memory.bytes < kept.memory.bytes
