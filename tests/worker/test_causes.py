"""The table of causes holds every code that the program can give, and only those."""

import ast
import re
from collections.abc import Iterator

from app.settings import ROOT
from worker.causes import KINDS, Kind

# An errand ends no run: what reads a saved adapter is part of one.
OF_ERRANDS = re.compile(r"worker/(errand|finetune/saved_adapter)")
# Whatever carries code, title, detail and hint of what ends a run.
CARRIERS = re.compile(r"(RunError|FinetuneError|DownloadError|Failure|Diverged|failure)$")


def codes_of(call: ast.Call) -> Iterator[str]:
    first = call.args[0] if call.args else None
    branches = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
    for branch in branches:
        if isinstance(branch, ast.Constant) and re.fullmatch(r"[a-z]+(_[a-z]+)*", str(branch.value)):
            yield str(branch.value)


def given() -> dict[str, str]:
    """Each code with a file that gives it."""
    found: dict[str, str] = {}
    for path in sorted([*(ROOT / "worker").rglob("*.py"), *(ROOT / "app").glob("*.py")]):
        if OF_ERRANDS.match(str(path.relative_to(ROOT))):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and CARRIERS.search(ast.unparse(node.func)):
                found |= dict.fromkeys(codes_of(node), str(path.relative_to(ROOT)))
    return found


def test_every_code_stands_in_the_table_and_every_entry_is_given_by_somebody() -> None:
    found = given()
    assert len(found) > 15
    assert {code: path for code, path in found.items() if code not in KINDS} == {}
    assert set(KINDS) - set(found) == set()


def test_what_a_person_must_mend_is_never_tried_again() -> None:
    for code in ("nan_loss", "disk_full", "bad_config", "model_not_found", "missing_library"):
        assert KINDS[code] is Kind.PERMANENT
    for code in ("killed", "crashed", "worker_lost", "hung"):
        assert KINDS[code] is Kind.OUTSIDE
