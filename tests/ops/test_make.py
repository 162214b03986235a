"""The Makefile and .ci/run: what they would do, and what a missing tool reads like."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from app.settings import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONSTRAINTS = dict(
    line.split("==")
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
)


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements() -> list[str]:
    extras = PROJECT["optional-dependencies"].values()
    return [*PROJECT["dependencies"], *(requirement for extra in extras for requirement in extra)]


def make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`make` in a folder that holds the Makefile and nothing that was ever installed."""
    shutil.copy(ROOT / "Makefile", folder)
    for name in ("pyproject.toml", "constraints.txt", "package.json", "package-lock.json"):
        (folder / name).touch()
    return subprocess.run(["make", *words], cwd=folder, capture_output=True, text=True, check=False)


def program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("requirement", requirements())
def test_every_requirement_is_held_to_one_version(requirement: str) -> None:
    name, _, version = requirement.split(";")[0].strip().partition("==")
    locked = {canonical(key): value for key, value in CONSTRAINTS.items()}
    assert canonical(re.split(r"[><=\[]", name)[0]) in locked
    assert not version or locked[canonical(name)] == version


def test_torch_is_the_same_everywhere() -> None:
    assert CONSTRAINTS["torch"] == "2.13.0"  # without "+cpu": that build is the user's choice
    assert "torch==2.13.0" in (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "torch==2.13.0" in PROJECT["optional-dependencies"]["worker"]


@pytest.mark.parametrize(
    ("words", "command"),
    [((), "tuneboard demo"), (("EXIT=1",), "tuneboard demo --exit"), (("FRESH=1",), "tuneboard demo --fresh")],
)
def test_the_demo_is_told_how_to_end(tmp_path: Path, words: tuple[str, ...], command: str) -> None:
    assert make(tmp_path, "--dry-run", "demo", *words).stdout.splitlines()[-1] == f".venv/bin/{command}"


def test_what_is_installed_is_not_installed_again(tmp_path: Path) -> None:
    first = make(tmp_path, "--dry-run", "demo").stdout
    assert "pip install" in first
    (tmp_path / ".venv").mkdir()
    for stamp in (".python", ".packages", ".assets", ".demo"):
        (tmp_path / ".venv" / stamp).touch()
        for name in ("pyproject.toml", "constraints.txt", "package.json", "package-lock.json", "Makefile"):
            assert (tmp_path / name).stat().st_mtime <= (tmp_path / ".venv" / stamp).stat().st_mtime
    again = subprocess.run(["make", "--dry-run", "demo"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert again.stdout == ".venv/bin/tuneboard demo\n"


def test_help_names_every_target(tmp_path: Path) -> None:
    targets = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)[0].split()
    shown = make(tmp_path).stdout
    assert all(f"make {target}" in shown for target in targets if target != "help")


def test_a_missing_python_is_one_line(tmp_path: Path) -> None:
    answer = make(tmp_path, "demo", "PYTHON=python9")
    assert answer.returncode != 0
    assert answer.stderr.splitlines()[0] == (
        "There is no python9: install Python 3.11 or newer (apt-get install python3 python3-venv)."
    )


def test_an_old_python_is_one_line(tmp_path: Path) -> None:
    old = program(tmp_path / "python3.9", 'case "$1" in -V) echo Python 3.9.2;; *) exit 1;; esac')
    answer = make(tmp_path, "demo", f"PYTHON={old}")
    assert answer.stderr.splitlines()[0].startswith("Tuneboard needs Python 3.11 or newer, and Python 3.9.2 is older")


def test_a_python_without_venv_is_one_line(tmp_path: Path) -> None:
    bare = program(tmp_path / "python3.11", 'case "$2" in *ensurepip*) exit 1;; esac')
    answer = make(tmp_path, "demo", f"PYTHON={bare}")
    assert answer.stderr.splitlines()[0].endswith("cannot make virtual environments: apt-get install python3-venv")


def ci(tmp_path: Path, *present: str) -> list[str]:
    """What .ci/run calls on a machine that has only these programs."""
    calls = tmp_path / "calls"
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "dirname", "env"):
        (tools / name).symlink_to(str(shutil.which(name)))
    for name in ("apt-get", "sudo", "make", "python3", *present):
        program(tools / name, f'echo "{name} $*" >> {calls}')
    run = ["bash", str(ROOT / ".ci/run")]
    subprocess.run(run, env={"PATH": str(tools)}, check=True, capture_output=True)
    return [call for call in calls.read_text().splitlines() if not call.startswith("python3")]


def test_ci_installs_what_is_missing_and_then_tests(tmp_path: Path) -> None:
    *installs, last = ci(tmp_path)
    assert "apt-get update" in installs[0]
    assert installs[-1].endswith("chromium fonts-liberation gcc libc6-dev redis-server")
    assert last == "make test REQUIRE_BROWSER=1"


def test_ci_installs_nothing_that_is_there(tmp_path: Path) -> None:
    assert ci(tmp_path, "chromium", "cc", "redis-server") == ["make test REQUIRE_BROWSER=1"]
