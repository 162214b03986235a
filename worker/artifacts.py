"""The folder that a completed run offers for download: what the child saved, and the whole log beside it."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from app.artifacts import FOLDER, MANIFEST
from app.disk import sync
from app.logs import LOG_FILE

MEDIA_TYPES = {
    ".zip": "application/zip",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".log": "text/plain",
    ".md": "text/markdown",
}


def publish(run_dir: Path) -> None:
    """Add the log; the manifest comes last and by rename, so that what it lists is there.

    All of it is synced: the row of a completed run must never outlast its files, whatever happens to the machine.
    """
    folder = run_dir / FOLDER
    shutil.copyfile(run_dir / LOG_FILE, folder / LOG_FILE)
    items = [_item(path) for path in sorted(folder.iterdir()) if path.suffix in MEDIA_TYPES and path.name != MANIFEST]
    unfinished = folder / f"{MANIFEST}.tmp"
    try:
        unfinished.write_text(json.dumps(items, indent=1) + "\n", encoding="utf-8")
        for path in (*(folder / item["name"] for item in items), unfinished):
            sync(path)
        unfinished.replace(folder / MANIFEST)
        sync(folder)
    finally:
        unfinished.unlink(missing_ok=True)


def _item(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    media_type = MEDIA_TYPES[path.suffix]
    return {"name": path.name, "size_bytes": path.stat().st_size, "sha256": digest, "media_type": media_type}
