"""/healthz, /readyz, /workers and /version, and the schema of a configuration."""

import sqlite3
from collections import namedtuple

import pytest
from fastapi.testclient import TestClient

from app import __version__, broker, health
from app.db import Database
from app.leases import lease
from app.models import Worker
from app.presets import PRESETS
from app.run_config import LABELS, RunConfig, nest, parse
from app.settings import Settings


@pytest.fixture
def broker_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "answers", lambda settings: True)


def add_worker(database: Database, name: str = "w1", seconds: float = 60) -> None:
    held = lease(seconds)
    with database.writing() as session:
        session.add(
            Worker(name=name, hostname="h", pid=1, version="1", device="CPU", boot=held.boot, beat_until=held.until)
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
        "database": True, "schema": True, "disk": True, "broker": True, "worker": True
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
    connection.execute("UPDATE alembic_version SET version_num = 'old'")
    connection.commit()
    connection.close()
    parts = client.get("/readyz").json()["parts"]
    assert parts["database"]["up"]
    assert not parts["schema"]["up"]
    assert "tuneboard up" in parts["schema"]["state"]


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
