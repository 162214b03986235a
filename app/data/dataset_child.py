"""Runs the import's child process: a hostile or huge file costs its memory and time, not the server's."""

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from app.data.dataset_request import ImportRequest
from app.errors import DiskFull, FieldError, Invalid, Unavailable
from app.processes import spawn, stop

MODULE = "app.data.dataset_import"


def run(source: Path, folder: Path, request: ImportRequest) -> dict[str, Any]:
    """Read `source` into `folder`; the columns of the new Dataset, or Invalid with the first bad rows."""
    command = [sys.executable, "-m", MODULE, str(source), str(folder), f"--format={request.format}"]
    command.append(f"--columns={json.dumps(dict(request.columns))}")
    if request.skip_bad_rows:
        command.append("--skip-bad-rows")
    child = spawn(command, stdout=subprocess.PIPE)
    with ExitStack() as undo:
        undo.callback(stop, child, grace=0)
        output, _ = child.communicate()
        undo.pop_all()
    if child.returncode != 0:
        raise Unavailable(_died(child.returncode))
    report: dict[str, Any] = json.loads(output)
    return _imported(report)


def _imported(report: dict[str, Any]) -> dict[str, Any]:
    if "errors" in report:
        raise Invalid([FieldError(**error) for error in report["errors"]])
    if "disk_full" in report:
        raise DiskFull
    imported: dict[str, Any] = report["imported"]
    return imported


def _died(code: int) -> str:
    """Why a child ended without a report: a signal is mostly the system's, for want of memory."""
    if code < 0:
        return f"The import was stopped by signal {-code}, perhaps for want of memory: nothing was stored"
    return "The import stopped unexpectedly: nothing was stored. The server's log says why"
