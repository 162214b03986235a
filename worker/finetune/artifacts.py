"""The files that a run leaves: adapter.zip, config.json, metrics.jsonl, predictions.jsonl and their manifest."""

import json
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any

from pydantic_core import to_json
from safetensors.torch import save as to_safetensors

from worker.finetune.adapter import Tensors, adapter_json
from worker.finetune.evaluation import finite
from worker.finetune.keys import file_hash

MEDIA_TYPES = {
    ".zip": "application/zip",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".md": "text/markdown",
}
MANIFEST = "manifest.json"
CARD = "README.md"

# Of every file in the archive, so that equal adapters make equal archives.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


class Curves:
    """metrics.jsonl, a line a point, written as the points come; a resumed run drops what its checkpoint never saw."""

    def __init__(self, path: Path, *, keep: int) -> None:
        """Go on after the first `keep` bytes, as `sync` told them; where fewer are left, after the last whole line."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            file.seek(0)
            file.truncate(file.read(keep).rfind(b"\n") + 1)
        self._path = path
        self._file: FileIO | None = None

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """For many points: to open the file for each would take longer than all else that is done for it."""
        with self._opened() as self._file:
            try:
                yield
            finally:
                self._file = None

    def _opened(self) -> FileIO:
        """Unbuffered: a process that is killed has lost nothing that was added."""
        return self._path.open("ab", buffering=0)

    def add(self, step: int, epoch: float, time: float, values: Mapping[str, float | None]) -> None:
        place = {"step": step, "epoch": epoch, "time": time}
        points = [{"name": n, **place, "value": None if v is None else finite(v)} for n, v in values.items()]
        lines = b"".join(to_json(point) + b"\n" for point in points)
        if self._file is not None:
            self._file.write(lines)
            return
        with self._opened() as file:
            file.write(lines)

    def sync(self) -> int:
        """Have every point on disk; answers their length in bytes."""
        with self._path.open("rb") as file:
            os.fsync(file.fileno())
            return os.fstat(file.fileno()).st_size


def write_adapter(path: Path, model: Any, state: Tensors, card: str | None = None) -> None:
    """What peft's `from_pretrained` reads, in one archive, and the model card; the base is named by its id."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        config = json.dumps(adapter_json(model), indent=2, default=str) + "\n"
        archive.writestr(zipfile.ZipInfo("adapter_config.json", _ZIP_TIME), config)
        tensors = to_safetensors(state, metadata={"format": "pt"})
        archive.writestr(zipfile.ZipInfo("adapter_model.safetensors", _ZIP_TIME), tensors)
        if card is not None:
            archive.writestr(zipfile.ZipInfo(CARD, _ZIP_TIME), card)


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in lines)


def write_manifest(folder: Path, *, steps: Mapping[str, int] | None = None) -> None:
    """Every artifact with its size and hash, written last: what is listed is whole. `steps` names the step that a
    file is of, where that is not the end of the run."""
    files = [path for path in sorted(folder.iterdir()) if path.name != MANIFEST]
    write_json(folder / MANIFEST, [_entry(path, (steps or {}).get(path.name)) for path in files])


def _entry(path: Path, step: int | None) -> dict[str, Any]:
    of_step = {} if step is None else {"step": step}
    return of_step | {
        "name": path.name,
        "size_bytes": path.stat().st_size,
        "sha256": file_hash(path),
        "media_type": MEDIA_TYPES.get(path.suffix, "text/plain"),
    }
