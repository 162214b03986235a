"""/healthz, /readyz, /workers and /version, and the schema of a configuration."""

import sqlite3
import subprocess
import sys
import time
from collections import namedtuple
from contextlib import closing
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app import __version__, broker, health
from app.db import Database, file_of
from app.launch.presets import PRESETS
from app.leases import lease
from app.models import Worker
from app.run_config import LABELS, RunConfig, nest, parse
from app.settings import Settings
from tests.stored_runs import add_run


@pytest.fixture
def broker_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "answers", lambda settings: True)


def add_worker(database: Database, name: str = "w1", seconds: float = 60, run_id: int | None = None) -> None:
    held = lease(seconds)
    with database.writing() as session:
        session.add(
            Worker(
                name=name,
                hostname="h",
                pid=1,
                version="1",
                device="CPU",
                boot=held.boot,
                beat_until=held.until,
                run_id=run_id,
            )
        )
        session.commit()


def test_the_process_is_up_whatever_else_is_missing(client: TestClient) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_ready_names_each_part(client: TestClient, database: Database, broker_is_up: None) -> None:
    add_worker(database)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["ready"]
    assert {name: part["up"] for name, part in answer.json()["parts"].items()} == {
        "database": True, "schema": True, "disk": True, "broker": True, "worker": True, "queue": True
    }  # fmt: skip
    assert "w1" in answer.json()["parts"]["worker"]["state"]


def test_without_broker_and_worker_it_is_not_ready(client: TestClient, database: Database) -> None:
    add_worker(database, seconds=-1)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    down = {name for name, part in answer.json()["parts"].items() if not part["up"]}
    assert down == {"broker", "worker"}
    assert all(part["state"] for part in answer.json()["parts"].values())


def test_a_schema_that_is_not_current_is_named(client: TestClient, settings: Settings, broker_is_up: None) -> None:
    connection = sqlite3.connect(settings.data_dir / "tuneboard.db")
    connection.execute("UPDATE alembic_version SET version_num = '0001'")
    connection.commit()
    connection.close()
    parts = client.get("/readyz").json()["parts"]
    assert parts["database"]["up"]
    assert not parts["schema"]["up"]
    assert "tuneboard up" in parts["schema"]["state"]


def test_a_schema_of_a_newer_program_is_named(client: TestClient, settings: Settings, broker_is_up: None) -> None:
    with closing(sqlite3.connect(settings.data_dir / "tuneboard.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    part = client.get("/readyz").json()["parts"]["schema"]
    assert not part["up"]
    assert "newer (9999)" in part["state"]


def test_a_database_that_somebody_has_locked_is_named_with_its_holder(
    client: TestClient, settings: Settings, database: Database, broker_is_up: None
) -> None:
    add_worker(database)
    holding = "import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1]); c.execute('BEGIN IMMEDIATE'); print(); "
    command = [sys.executable, "-u", "-c", holding + "time.sleep(60)", str(file_of(settings.database))]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        assert other.stdout
        other.stdout.readline()
        answer = client.get("/readyz")
        other.kill()
    assert answer.status_code == 503
    down = {name: part["state"] for name, part in answer.json()["parts"].items() if not part["up"]}
    assert down == {
        "database": f"cannot be written: database is locked by process {other.pid} ({Path(sys.executable).name})"
    }
    assert client.get("/readyz").status_code == 200


def test_a_database_that_can_only_be_read_is_named(client: TestClient, settings: Settings, broker_is_up: None) -> None:
    """As on a disk that is mounted read-only: reading works, and nothing can be stored."""
    with closing(sqlite3.connect(settings.data_dir / "tuneboard.db")) as connection, connection:
        connection.execute("CREATE TRIGGER no BEFORE UPDATE ON alembic_version BEGIN SELECT RAISE(ABORT, 'no'); END")
    part = client.get("/readyz").json()["parts"]["database"]
    assert (part["up"], part["state"]) == (False, "cannot be written: no")


def test_a_queue_that_does_not_move_beside_an_idle_worker_is_stuck(
    client: TestClient, database: Database, broker_is_up: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "STUCK_SECONDS", 0.2)
    add_worker(database)
    run_id = add_run(database)
    assert client.get("/readyz").json()["parts"]["queue"] == {"up": True, "state": "moves"}
    time.sleep(0.25)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["parts"]["queue"]["state"].startswith(f"stuck: run {run_id} has waited")


def test_a_queue_behind_a_busy_worker_is_no_reason_to_worry(
    client: TestClient, database: Database, broker_is_up: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "STUCK_SECONDS", 0.0)
    add_worker(database, run_id=add_run(database))
    for _ in range(2):
        assert client.get("/readyz").json()["parts"]["queue"] == {"up": True, "state": "waits for a worker"}


def test_the_next_run_begins_its_own_wait() -> None:
    watch = health.QueueWatch()
    assert watch.look(1) == pytest.approx(0, abs=0.05)
    time.sleep(0.1)
    assert watch.look(1) > 0.09
    assert watch.look(2) == pytest.approx(0, abs=0.05)
    time.sleep(0.1)
    assert watch.look(None) == pytest.approx(0, abs=0.05)


def test_a_file_that_is_no_database_is_named(client: TestClient, settings: Settings, broker_is_up: None) -> None:
    (settings.data_dir / "tuneboard.db").write_bytes(b"nonsense" * 1000)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert not answer.json()["parts"]["database"]["up"]


def test_a_disk_without_room_is_named(client: TestClient, broker_is_up: None, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(health.shutil, "disk_usage", lambda path: usage(0, 0, 1_000_000))
    part = client.get("/readyz").json()["parts"]["disk"]
    assert not part["up"]
    assert "0.0 GB free" in part["state"]


def test_workers_are_listed_with_whether_they_live(client: TestClient, database: Database) -> None:
    add_worker(database, "alive")
    add_worker(database, "gone", seconds=-1)
    answer = client.get("/api/v1/workers").json()
    assert {worker["name"]: worker["alive"] for worker in answer["items"]} == {"alive": True, "gone": False}
    assert answer["items"][0]["device"] == "CPU"


def test_the_version_is_told(client: TestClient) -> None:
    assert client.get("/api/v1/version").json()["version"] == __version__


def test_the_schema_describes_every_setting(client: TestClient) -> None:
    schema = client.get("/api/v1/config/schema").json()
    assert set(schema["properties"]) == set(RunConfig.model_fields)
    described = {}
    for group, reference in schema["properties"].items():
        section = schema["$defs"][reference["$ref"].rpartition("/")[2]]
        described |= {f"{group}.{name}": field for name, field in section["properties"].items()}
    assert {name: field["label"] for name, field in described.items()} == LABELS
    assert all(field["description"] and "unit" in field for field in described.values())
    assert (described["lora.r"]["minimum"], described["lora.r"]["maximum"]) == (1, 1024)
    assert described["quantization.method"]["enum"] == ["nf4", "fp4", "int8", "none"]


def test_each_preset_is_a_configuration_that_can_be_launched(client: TestClient) -> None:
    presets = client.get("/api/v1/config/schema").json()["presets"]
    assert [preset["name"] for preset in presets] == [preset.name for preset in PRESETS]
    for preset in PRESETS:
        parse(nest(preset.values | {"data.dataset": 1}))
