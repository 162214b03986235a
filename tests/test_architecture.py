"""The house keeps its shape: import contracts, one broad except, files and functions of readable size."""

import ast
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.settings import ROOT

SOURCES = sorted([*ROOT.glob("app/**/*.py"), *ROOT.glob("worker/**/*.py")])
# The only modules of app/ that may speak HTTP: what serves it and what starts the server.
HTTP = ("app/web/", "app/main.py")


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno
            yield f"{name(path)}:{node.name}", node.end_lineno - node.lineno + 1


def test_import_contracts_hold() -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    result = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("path", [p for p in SOURCES if name(p).startswith("app/")], ids=name)
def test_only_the_web_speaks_http(path: Path) -> None:
    spoken = {module.split(".")[0] for module in imports(path)} & {"fastapi", "starlette"}
    assert not spoken or name(path).startswith(HTTP)


def test_there_is_one_broad_except() -> None:
    broad = [
        f"{name(path)}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")))
    ]
    assert len(broad) == 1, broad


def test_nothing_is_pickled() -> None:
    forbidden = {"pickle", "cloudpickle", "dill", "joblib", "shelve"}
    assert not [name(path) for path in SOURCES if forbidden & {module.split(".")[0] for module in imports(path)}]


def test_files_stay_small() -> None:
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert not {path: lines for path, lines in lengths.items() if lines > 300}
    assert statistics.median(lengths.values()) <= 120


def test_functions_stay_small() -> None:
    lengths = dict(item for path in SOURCES for item in functions(path))
    assert not {function: lines for function, lines in lengths.items() if lines > 60}
    assert statistics.quantiles(lengths.values(), n=10)[-1] <= 35
    assert statistics.median(lengths.values()) <= 10


def test_every_module_says_what_it_is() -> None:
    empty = [p for p in SOURCES if p.read_text(encoding="utf-8").strip() and not ast.get_docstring(tree(p))]
    assert not empty
