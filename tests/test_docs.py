"""Docs that cannot drift: the reference is the code's, the README's map is the disk's."""

import re
import subprocess
import tomllib

import pytest

from app.reference import render
from app.settings import ROOT
from worker.causes import KINDS

README = ROOT / "README.md"


def tracked(*paths: str) -> list[str]:
    listing = subprocess.run(["git", "ls-files", *paths], cwd=ROOT, capture_output=True, text=True, check=True)
    return listing.stdout.splitlines()


def readme_map() -> dict[str, set[str]]:
    """What the README's map shows, a set of names for each package: `worker/finetune/` -> {"pipeline", ...}."""
    lines = README.read_text(encoding="utf-8").split("## The map of the code")[1].split("```")[1].splitlines()
    shown: dict[str, set[str]] = {"": set()}
    path: list[tuple[int, str]] = []
    for line in filter(None, lines):
        indent = len(line) - len(line.lstrip())
        path = [part for part in path if part[0] < indent]
        parent = "".join(name for _, name in path)
        for name in re.split(r"\s{2,}", line.strip())[0].split():
            shown.setdefault(parent, set()).add(name)
            if name.endswith("/"):
                path = [*[part for part in path if part[0] < indent], (indent, name)]
                shown.setdefault(parent + name, set())
    return shown


MAP = readme_map()
MAPPED = sorted(package for package in MAP if package.startswith(("app/", "worker/")) and MAP[package])


def on_disk(package: str) -> set[str]:
    """Modules without their ending, and folders with a slash."""
    parts = [path.removeprefix(package).split("/") for path in tracked(package)]
    return {part[0] + "/" if len(part) > 1 else part[0].removesuffix(".py") for part in parts} - {"__init__"}


def test_the_reference_is_that_of_the_code() -> None:
    assert (ROOT / "docs/reference.md").read_text(encoding="utf-8") == render(), "run `make docs`"


@pytest.mark.parametrize("package", MAPPED)
def test_the_map_shows_what_there_is_and_nothing_else(package: str) -> None:
    assert MAP[package] == on_disk(package)


@pytest.mark.parametrize(
    "top", sorted({path.split("/")[0] for path in tracked()} - {".ci", ".gitignore", ".dockerignore", "README.md"})
)
def test_everything_at_the_top_is_named(top: str) -> None:
    assert top in README.read_text(encoding="utf-8")


def test_make_targets_of_the_docs_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for document in (README, ROOT / "CONTRIBUTING.md"):
        named = set(re.findall(r"(?:`|^ {4})make ([a-z]+)", document.read_text(encoding="utf-8"), re.MULTILINE))
        assert named
        assert named <= targets, f"{document.name} names {named - targets}"


@pytest.mark.parametrize("document", [p for p in tracked("*.md") if not p.startswith("docs/reference")])
def test_links_and_paths_of_the_docs_exist(document: str) -> None:
    folder = (ROOT / document).parent
    for link in re.findall(r"\]\((?!https?://|#)([^)#]+)", (ROOT / document).read_text(encoding="utf-8")):
        assert (folder / link).exists(), f"{document} points to {link}"


def test_the_version_has_its_place_in_the_changelog() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "app.__version__"}
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_cause_of_an_ending_is_told_with_what_follows() -> None:
    table = (ROOT / "docs/reliability.md").read_text(encoding="utf-8").split("## Endings")[1].split("\n\n")[1]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    told = {code: follows for follows, codes in rows for code in re.findall(r"`(\w+)`", codes)}
    assert told == {code: kind.value for code, kind in KINDS.items()}
