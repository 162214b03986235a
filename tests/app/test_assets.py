"""The front-end files: installed by the lock file, once, and a clear line where that is not possible."""

import json
import re
from pathlib import Path

import pytest

from app import assets
from app.settings import ROOT


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Everything that is written goes to the test's own folder; npm is stood in for by `_npm_ci`."""
    monkeypatch.setattr(assets, "LOCK", tmp_path / "package-lock.json")
    monkeypatch.setattr(assets, "MODULES", tmp_path / "node_modules")
    monkeypatch.setattr(assets, "VENDOR", tmp_path / "vendor")
    monkeypatch.setattr(assets, "STAMP", tmp_path / "vendor" / "lock.sha256")
    assets.LOCK.write_text("{}")
    return tmp_path


@pytest.fixture
def installs(place: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    done: list[str] = []

    def npm_ci() -> None:
        done.append("npm ci")
        for name in assets.FILES:
            (place / "node_modules" / name).parent.mkdir(parents=True, exist_ok=True)
            (place / "node_modules" / name).write_text(f"{len(done)}")

    monkeypatch.setattr(assets, "_npm_ci", npm_ci)
    return done


def test_the_second_time_nothing_is_done(place: Path, installs: list[str]) -> None:
    assert assets.install() is True
    assert assets.install() is False
    assert installs == ["npm ci"]
    assert {path.name for path in (place / "vendor").iterdir()} == {
        "lock.sha256",
        *(Path(name).name for name in assets.FILES),
    }


def test_another_lock_file_or_a_missing_file_installs_again(place: Path, installs: list[str]) -> None:
    assets.install()
    assets.LOCK.write_text('{"changed": true}')
    assert assets.install() is True
    (place / "vendor" / "tabler.min.css").unlink()
    assert assets.install() is True
    assert len(installs) == 3


def test_without_npm_it_is_one_clear_line(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(place))
    monkeypatch.setattr(assets, "_node_wheel", lambda: None)
    assert assets.main() == 1
    said = capsys.readouterr().err
    assert said.startswith("tuneboard: no npm found: ")
    assert said.count("\n") == 1


def test_what_npm_complains_about_is_passed_on_in_one_line(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    npm = place / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error network getaddrinfo ENOTFOUND' >&2\necho >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setattr(assets, "_npm", lambda: [str(npm)])
    monkeypatch.setattr(assets, "ROOT", place)
    assert assets.main() == 1
    assert "getaddrinfo ENOTFOUND" in capsys.readouterr().err


def test_versions_are_exact_and_the_lock_has_their_hashes() -> None:
    package = json.loads((ROOT / "package.json").read_text())
    for version in (package["dependencies"] | package["devDependencies"]).values():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    locked = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert all("integrity" in entry for name, entry in locked.items() if name)
