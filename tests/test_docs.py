"""Docs that cannot drift: the reference is the code's, the README's map is the disk's."""

import re
import subprocess
import tomllib

import pytest

from app.reference import render
from app.settings import ROOT

README = ROOT / "README.md"


def tracked(*paths: str) -> list[str]:
    listing = subprocess.run(["git", "ls-files", *paths], cwd=ROOT, capture_output=True, text=True, check=True)
    return listing.stdout.splitlines()


def readme_map() -> str:
    return README.read_text(encoding="utf-8").split("## The map of the code")[1].split("```")[1]


def test_the_reference_is_that_of_the_code() -> None:
    assert (ROOT / "docs/reference.md").read_text(encoding="utf-8") == render(), "run `make docs`"


@pytest.mark.parametrize("top", sorted({path.split("/")[0] for path in tracked()} - {".ci", ".gitignore"}))
def test_the_map_shows_everything_at_the_top(top: str) -> None:
    assert re.search(rf"^{re.escape(top)}\b", readme_map(), re.MULTILINE), f"README's map lacks {top}"


@pytest.mark.parametrize("package", ["app", "app/web", "worker", "worker/finetune"])
def test_the_map_shows_every_module(package: str) -> None:
    shown = readme_map()
    names = {p.removeprefix(f"{package}/").split("/")[0].removesuffix(".py") for p in tracked(f"{package}/*")}
    missing = {name for name in names - {"__init__", "py.typed"} if not re.search(rf"\b{name}\b", shown)}
    assert not missing


def test_the_map_shows_nothing_that_is_gone() -> None:
    for path in re.findall(r"^ {2}(\S+\.py|\S+/)\s", readme_map(), re.MULTILINE):
        assert any(ROOT.glob(f"*/{path}")) or any(ROOT.glob(f"*/*/{path}")), path


def test_make_targets_of_the_docs_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for document in (README, ROOT / "CONTRIBUTING.md"):
        named = set(re.findall(r"make ([a-z]+)", document.read_text(encoding="utf-8")))
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
