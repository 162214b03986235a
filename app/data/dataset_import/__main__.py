"""The child process of an import: reads a file into a folder and prints what became of it as JSON.

{"imported": {...}}, or {"errors": [{"field", "message"}]} for a file that cannot be used, or {"disk_full": true}.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.data.dataset_import import importing
from app.disk import FULL
from app.errors import Invalid


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m app.data.dataset_import", description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--format", required=True)
    parser.add_argument("--columns", type=json.loads, default={})
    parser.add_argument("--skip-bad-rows", action="store_true")
    arguments = parser.parse_args()
    report = json.dumps(_run(arguments), ensure_ascii=False)
    sys.stdout.buffer.write(report.encode(errors="replace"))  # a column's name may be no UTF-8; nobody could show it


def _run(arguments: argparse.Namespace) -> dict[str, Any]:
    try:
        report = importing.run(
            arguments.source,
            arguments.folder,
            format=arguments.format,
            columns=arguments.columns,
            skip=arguments.skip_bad_rows,
        )
    except Invalid as error:
        return {"errors": [asdict(item) for item in error.errors]}
    except OSError as error:
        if error.errno not in FULL:
            raise
        return {"disk_full": True}
    return {"imported": report}


if __name__ == "__main__":
    main()
