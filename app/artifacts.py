"""What a run leaves behind: the files that its manifest names, and nothing else that may lie in its folder."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import NotFound
from app.settings import Settings

FOLDER = "artifacts"
MANIFEST = "manifest.json"
RESCORED = "rescored.json"  # of a merged model: what measuring it again came to
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Artifact:
    name: str
    size_bytes: int
    sha256: str
    media_type: str
    step: int | None = None  # that it is of, where the run did not come to its end


def folder(settings: Settings, run_id: int) -> Path:
    return settings.run_dir(run_id) / FOLDER


def list_artifacts(settings: Settings, run_id: int) -> list[Artifact]:
    return files_in(folder(settings, run_id))


def files_in(place: Path) -> list[Artifact]:
    """What the manifest names and the folder has; none before anything has been saved."""
    manifest = place / MANIFEST
    if not manifest.is_file():
        return []
    items: list[dict[str, Any]] = json.loads(manifest.read_text(encoding="utf-8"))
    found = [Artifact(i["name"], i["size_bytes"], i["sha256"], i["media_type"], i.get("step")) for i in items]
    return [item for item in found if _is_served(place, item.name)]


def find_artifact(settings: Settings, run_id: int, name: str) -> tuple[Artifact, Path]:
    for item in list_artifacts(settings, run_id):
        if item.name == name:
            return item, folder(settings, run_id) / name
    raise NotFound(f"Run {run_id} has no file {name}.")


def _is_served(place: Path, name: str) -> bool:
    """A plain file of a plain name: a link could lead out of the folder."""
    file = place / name
    return SAFE_NAME.fullmatch(name) is not None and file.is_file() and not file.is_symlink()
