"""Base models: where a name leads, whether what lies there can be trained, and which ones there are to pick from.

A name is `sample/NAME`, a folder (absolute, or relative to an allowed model folder), or a hub id.
"""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from os.path import isdir
from pathlib import Path
from typing import Any, Literal

from sqlmodel import Session, col, select

from app.errors import FieldError, Invalid
from app.launch import model_files
from app.launch.model_files import ModelFiles
from app.models import Run
from app.run_config import RunConfig
from app.settings import SAMPLES, Settings

Kind = Literal["sample", "folder", "hub"]

# What the form offers first: small, open, known to everybody.
DEFAULT = "TinyLlama/TinyLlama-1.1B-Chat-v1.0"

FIELD = "model.base_model"
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)

# Of the folders below an allowed one, and of the runs, as many are looked at for the list.
LISTED_FOLDERS = 200
LISTED_DEPTH = 3
RECENT_RUNS = 200


@dataclass(frozen=True)
class Located:
    """Where a base model is. A hub id has a folder only where it has been downloaded before."""

    name: str
    kind: Kind
    folder: Path | None


@dataclass(frozen=True)
class Description:
    """A base model to pick; of one that is not on this machine nothing but the name is known."""

    name: str
    kind: Kind
    files: ModelFiles


def resolve(settings: Settings, name: str, revision: str | None = None) -> Located:
    """Where a base model is; raises Invalid for a name that leads nowhere, or out of the allowed folders."""
    if not name.isprintable():
        raise Invalid.one(FIELD, "The name has characters that no name has")
    if name.startswith("sample/"):
        return Located(name, "sample", _inside(SAMPLES / "models", name.removeprefix("sample/")))
    if Path(name).is_absolute() or name.startswith((".", "~")):
        return Located(name, "folder", _allowed(settings, Path(name)))
    for root in settings.model_folders:
        if (root / name).resolve().is_relative_to(root) and isdir(root / name):
            return Located(name, "folder", (root / name).resolve())
    if HUB_ID.fullmatch(name) and ".." not in name and "--" not in name:
        return Located(name, "hub", _downloaded(settings, name, revision))
    raise Invalid.one(
        FIELD,
        f"'{name}' is neither sample/NAME, nor a folder under an allowed model folder ({_folders(settings)}), "
        "nor a hub id like organisation/name",
    )


def _inside(root: Path, name: str) -> Path:
    folder = (root / name).resolve()
    if not name or not folder.is_relative_to(root.resolve()) or not isdir(folder):
        there = ", ".join(f"sample/{path.name}" for path in _subfolders(root)) or "none"
        raise Invalid.one(FIELD, f"There is no bundled model 'sample/{name}'; there is: {there}")
    return folder


def _allowed(settings: Settings, path: Path) -> Path:
    folder = path.resolve()
    if not any(folder.is_relative_to(root) for root in settings.model_folders):
        raise Invalid.one(FIELD, f"'{path}' is not under an allowed model folder ({_folders(settings)})")
    if not isdir(folder):
        raise Invalid.one(FIELD, f"There is no folder '{path}'")
    return folder


def _folders(settings: Settings) -> str:
    return ", ".join(map(str, settings.model_folders)) or "none is set: TUNEBOARD_MODEL_DIRS"


def _downloaded(settings: Settings, name: str, revision: str | None) -> Path | None:
    """The hub client's own layout: refs/NAME holds a commit, snapshots/COMMIT the files."""
    cache = settings.downloads_dir / f"models--{name.replace('/', '--')}"
    commit = cache / "refs" / (revision or "main")
    if not commit.resolve().is_relative_to(settings.downloads_dir.resolve()):
        return None
    named = commit.read_text("utf-8").strip() if commit.is_file() else revision or ""
    folder = cache / "snapshots" / named
    return folder if named and "/" not in named and isdir(folder) else None


def folder(settings: Settings, name: str, revision: str | None = None) -> Path | None:
    """The folder of a base model that is on this machine; None for one that is not."""
    try:
        return resolve(settings, name, revision).folder
    except Invalid:
        return None


def check(settings: Settings, config: RunConfig) -> Located:
    """Where a run's base model is; raises Invalid where it is known already that it cannot be trained."""
    located = resolve(settings, config.model.base_model, config.model.revision)
    if located.folder is None:
        return located
    known = model_files.read(located.folder)
    if located.kind != "hub" and config.model.revision:
        raise Invalid.one("model.revision", "Only hub models have revisions; leave it empty for a folder")
    if known.problem:
        raise Invalid.one(FIELD, f"'{located.name}' {known.problem}")
    if known.context is not None and config.data.max_length > known.context:
        raise Invalid([_context_error(located.name, known.context, config.data.max_length)])
    return located


def _context_error(name: str, context: int, max_length: int) -> FieldError:
    return FieldError(
        "data.max_length",
        f"'{name}' reads at most {context:,} tokens at once, {max_length:,} are asked for; use {context} or less",
    )


def describe(located: Located) -> Description:
    files = model_files.read(located.folder) if located.folder else ModelFiles()
    return Description(located.name, located.kind, files)


def list_models(session: Session, settings: Settings) -> list[Description]:
    """The sample, what lies under the allowed folders, and hub ids: the default and those of recent runs."""
    samples = [Located(f"sample/{path.name}", "sample", path) for path in _subfolders(SAMPLES / "models")]
    local = [
        Located(_shortest(settings, root, path), "folder", path)
        for root in settings.model_folders
        for path in islice(_model_folders(root, LISTED_DEPTH), LISTED_FOLDERS)
    ]
    hub = [Located(name, "hub", _downloaded(settings, name, None)) for name in _hub_names(session, settings)]
    return [describe(located) for located in (*samples, *local, *hub)]


def _shortest(settings: Settings, root: Path, path: Path) -> str:
    """The name relative to the allowed folder, where that leads here and not into another one."""
    name = str(path.relative_to(root))
    return name if folder(settings, name) == path else str(path)


def _model_folders(folder: Path, depth: int) -> Iterator[Path]:
    if (folder / "config.json").is_file():
        yield folder
    elif depth:
        for below in _subfolders(folder):
            yield from _model_folders(below, depth - 1)


def _subfolders(folder: Path) -> list[Path]:
    """Folders in order of name; links are not followed, they may lead out of an allowed folder."""
    try:
        found = [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]
    except OSError:
        return []
    return sorted(path for path in found if not path.name.startswith("."))


def _hub_names(session: Session, settings: Settings) -> list[str]:
    base_model = col(Run.config)["model"]["base_model"].as_string()
    recent = session.exec(select(base_model).order_by(col(Run.id).desc()).limit(RECENT_RUNS)).all()
    names = dict.fromkeys(name for name in recent if name and HUB_ID.fullmatch(name) and _is_hub(settings, name))
    return [*names, *([] if DEFAULT in names else [DEFAULT])]


def _is_hub(settings: Settings, name: str) -> bool:
    return not name.startswith("sample/") and not any(isdir(root / name) for root in settings.model_folders)


def to_api(model: Description) -> dict[str, Any]:
    return {"id": model.name, "label": model.name, "kind": model.kind, **asdict(model.files)}
