"""The embedded broker, with the system's Redis and with the packaged Valkey."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from redis import Redis

from app import broker
from app.errors import Unavailable
from app.queue import celery_app, enqueue
from app.settings import Settings
from tests.ops.conftest import gone, until


@pytest.fixture(params=["system", "packaged"])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the test once with each server that a user may have."""
    system = next(filter(None, map(shutil.which, broker.SERVERS)), None)
    if request.param == "packaged":
        monkeypatch.setenv("PATH", "/nonexistent")
    elif system is None:
        pytest.skip("no redis-server or valkey-server on PATH (apt-get install redis-server)")
    return str(request.param)


def test_it_answers_on_its_socket_and_on_nothing_else(server: str, settings: Settings) -> None:
    with broker.running(settings):
        assert broker.answers(settings)
        assert settings.broker_socket.stat().st_mode & 0o077 == 0
        with Redis(unix_socket_path=str(settings.broker_socket)) as client:
            told = {name: client.config_get(name)[name] for name in ("port", "save", "appendonly", "maxmemory-policy")}
    assert told == {"port": "0", "save": "", "appendonly": "no", "maxmemory-policy": "noeviction"}


def test_it_carries_a_wake_up(server: str, settings: Settings) -> None:
    queue = celery_app(settings.broker_url)
    with broker.running(settings):
        assert enqueue(queue, 7)
        with Redis(unix_socket_path=str(settings.broker_socket)) as client:
            assert client.llen("gpu") == 1
        queue.pool.force_close_all()


def test_it_ends_with_the_block_and_leaves_no_files(server: str, settings: Settings, marked: str) -> None:
    with broker.running(settings):
        enqueue(queue := celery_app(settings.broker_url), 7)
        queue.pool.force_close_all()
    assert not broker.answers(settings)
    assert gone(marked, 0)
    assert not [path for path in settings.broker_socket.parent.iterdir() if path.suffix in (".rdb", ".aof")]


def test_it_dies_with_its_parent(server: str, settings: Settings, marked: str) -> None:
    script = (
        "import time; from app import broker; from app.settings import Settings\n"
        "with broker.running(Settings()): time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script])
    until(lambda: broker.answers(settings))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert gone(marked, 5)


def test_a_killed_broker_is_no_hindrance_to_the_next(server: str, settings: Settings) -> None:
    with broker.running(settings) as process:
        process.kill()
        process.wait()
        assert settings.broker_socket.exists()
    with broker.running(settings):
        assert broker.answers(settings)


def test_servers_on_path_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in reversed(broker.SERVERS):
        program = tmp_path / name
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert broker.find_server() == program


def test_without_any_server_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(broker, "packaged_server", lambda: None)
    with pytest.raises(Unavailable, match=r"apt-get install redis-server.*TUNEBOARD_REDIS_URL") as raised:
        broker.find_server()
    assert "\n" not in str(raised.value)


def test_a_server_that_ends_at_once_is_reported(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "valkey-server"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(Unavailable, match="did not start"), broker.running(settings):
        pass


def test_a_folder_that_others_can_enter_is_refused(settings: Settings) -> None:
    settings.broker_socket.parent.mkdir(mode=0o755)
    with pytest.raises(Unavailable, match="open to others"):
        broker.command(settings)


def test_a_path_too_long_for_a_socket_is_refused(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    with pytest.raises(Unavailable, match="too long: set XDG_RUNTIME_DIR"):
        broker.command(Settings())


def test_a_url_of_ones_own_is_the_broker(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with broker.running(settings):
        monkeypatch.setenv("TUNEBOARD_REDIS_URL", settings.broker_url)
        monkeypatch.setenv("XDG_RUNTIME_DIR", "/nonexistent")
        assert broker.answers(Settings())
    monkeypatch.setenv("TUNEBOARD_REDIS_URL", "redis://127.0.0.1:1/0")
    assert not broker.answers(Settings())
