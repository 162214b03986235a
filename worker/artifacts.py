"""The folder that a completed run offers for download: what the child saved, its series and log, and a manifest."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from app.artifacts import FOLDER, MANIFEST
from app.logs import LOG_FILE
from app.models import MetricName, MetricPoint

MEDIA_TYPES = {
    ".zip": "application/zip",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".log": "text/plain",
}


def publish(session: Session, run_dir: Path, run_id: int) -> None:
    """Complete `artifacts/`; the manifest comes last and by rename, so that what it lists is there."""
    folder = run_dir / FOLDER
    folder.mkdir(exist_ok=True)
    _write_series(session, folder / "metrics.jsonl", run_id)
    for name in ("config.json", LOG_FILE):
        shutil.copyfile(run_dir / name, folder / name)
    items = [_item(path) for path in sorted(folder.iterdir()) if path.suffix in MEDIA_TYPES and path.name != MANIFEST]
    unfinished = folder / f"{MANIFEST}.tmp"
    unfinished.write_text(json.dumps(items, indent=1) + "\n", encoding="utf-8")
    unfinished.replace(folder / MANIFEST)


def _item(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    media_type = MEDIA_TYPES[path.suffix]
    return {"name": path.name, "size_bytes": path.stat().st_size, "sha256": digest, "media_type": media_type}


def _write_series(session: Session, path: Path, run_id: int) -> None:
    """One line a step: {"step", "epoch", "time", "values": {name: value}}; all attempts together."""
    names = {name.id: name.name for name in session.scalars(select(MetricName))}
    points = select(MetricPoint).where(col(MetricPoint.run_id) == run_id)
    steps: dict[int, dict[str, Any]] = {}
    for point in session.scalars(points.order_by(col(MetricPoint.step), col(MetricPoint.name_id))):
        line = steps.setdefault(
            point.step, {"step": point.step, "epoch": point.epoch, "time": point.time, "values": {}}
        )
        line["values"][names[point.name_id]] = point.value
    with path.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(line) + "\n" for line in steps.values())
