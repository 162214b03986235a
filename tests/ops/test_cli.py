"""The command line: options from the settings, plain errors, exit statuses."""

import os
import socket
from pathlib import Path

import pytest

from app import __version__, cli, up
from app.settings import Settings


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, marked: str) -> None:
    """Options are written to the environment; the test's own is thrown away."""
    monkeypatch.setattr(os, "environ", dict(os.environ))


def run(*words: str) -> int:
    return cli.main(words)


def help_of(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        run(command, "--help")
    assert ended.value.code == 0
    return " ".join(capsys.readouterr().out.split())


OPTIONS = sorted(set(Settings.model_fields) - {"token"})


@pytest.mark.parametrize(
    ("command", "name"),
    [(command, name) for command in ("up", "demo") for name in OPTIONS]
    + [(command, name) for command in ("web", "worker") for name in OPTIONS if name != "workers"],
)
def test_every_setting_is_an_option_with_its_own_words(
    command: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = help_of(command, capsys)
    assert f"--{name.replace('_', '-')} VALUE {Settings.model_fields[name].description}" in shown
    assert f"TUNEBOARD_{name.upper()}]" in shown


def test_the_token_is_never_on_a_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--token" not in help_of("up", capsys)
    with pytest.raises(SystemExit) as ended:
        run("--help")
    assert ended.value.code == 0
    assert "TUNEBOARD_TOKEN" in capsys.readouterr().out


def test_an_option_wins_over_the_environment(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    os.environ["TUNEBOARD_PORT"] = "2"
    assert run("runs", "--port", "1") == 1
    assert "http://127.0.0.1:1 " in capsys.readouterr().err


def test_no_server_is_one_line(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("runs") == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"tuneboard: No Tuneboard answers at http://127.0.0.1:{settings.port}" in said
    assert "tuneboard up" in said


@pytest.mark.parametrize(
    ("option", "value", "variable"),
    [("--port", "high", "TUNEBOARD_PORT"), ("--port", "0", "TUNEBOARD_PORT"), ("--redis-url", "http://x", "REDIS_URL")],
)
def test_a_wrong_setting_is_one_line_with_its_names(
    option: str, value: str, variable: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("up", option, value) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{variable} or {option}: " in said


def test_wrong_usage_is_status_two() -> None:
    for words in ([], ["fly"], ["show", "seven"], ["launch"]):
        with pytest.raises(SystemExit) as ended:
            run(*words)
        assert ended.value.code == 2


def test_it_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("--version")
    assert capsys.readouterr().out == f"tuneboard {__version__}\n"


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_taken_port_is_one_line_and_starts_nothing(
    command: str, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", settings.port)):
        assert run(command) == 1
    said = capsys.readouterr().err
    assert said == (
        f"tuneboard: Port {settings.port} on 127.0.0.1 is taken: stop what listens there, "
        "or choose another with --port or TUNEBOARD_PORT.\n"
    )
    assert not (settings.data_dir / "tuneboard.db").exists()


@pytest.mark.parametrize("command", ["up", "web"])
def test_an_address_that_others_reach_needs_a_token(
    command: str, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command, "--host", "0.0.0.0") == 1
    assert "TUNEBOARD_TOKEN" in capsys.readouterr().err


def test_two_cannot_share_a_data_folder(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    up.make_data_dir(settings)
    with up.exclusive(settings.data_dir / "up.lock", ""):
        assert run("up") == 1
    assert capsys.readouterr().err == (
        f"tuneboard: Tuneboard already runs on the data folder {settings.data_dir} (process {os.getpid()})\n"
    )


def test_a_data_folder_that_cannot_be_is_one_line(
    tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert run("up", "--data-dir", str(tmp_path / "file" / "var")) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_missing_worker_is_said_before_anything_starts(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(up.importlib.util, "find_spec", lambda name: None)
    assert run("up") == 1
    assert "pip install -e '.[worker]'" in capsys.readouterr().err


def test_without_a_broker_up_says_what_to_install(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(up.broker, "packaged_server", lambda: None)
    os.environ["PATH"] = "/nonexistent"
    assert run("up") == 1
    assert "apt-get install redis-server" in capsys.readouterr().err


def test_a_configuration_that_is_none_is_one_line(
    tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    for file, words in ((tmp_path / "missing.json", "No such file"), (broken, "not JSON")):
        assert run("launch", str(file)) == 1
        said = capsys.readouterr().err
        assert words in said
        assert said.count("\n") == 1


def test_interrupting_a_command_is_no_traceback(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.commands, "runs", interrupted)
    assert run("runs") == 130
