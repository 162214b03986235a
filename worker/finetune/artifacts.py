"""The files that a run leaves: adapter.zip, config.json, metrics.jsonl, predictions.jsonl and their manifest."""

import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save as to_safetensors

from worker.finetune.adapter import adapter_json, adapter_state
from worker.finetune.keys import file_hash

MEDIA_TYPES = {".zip": "application/zip", ".json": "application/json", ".jsonl": "application/jsonl"}
MANIFEST = "manifest.json"

# Of every file in the archive, so that equal adapters make equal archives.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


class Curves:
    """metrics.jsonl, a line a point, written as the points come; a resumed run drops what its checkpoint never saw."""

    def __init__(self, path: Path, *, keep_through: int | None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = _through(path, keep_through) if keep_through is not None and path.exists() else []
        path.write_text("".join(kept))
        self._path = path

    def add(self, step: int, epoch: float, time: float, values: Mapping[str, float | None]) -> None:
        points = [{"name": name, "step": step, "epoch": epoch, "time": time, "value": v} for name, v in values.items()]
        with self._path.open("a") as file:
            file.writelines(json.dumps(point) + "\n" for point in points)


def _through(path: Path, step: int) -> list[str]:
    lines = path.read_text().splitlines(keepends=True)
    return [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step]


def write_adapter(path: Path, model: Any) -> None:
    """What peft's `from_pretrained` reads, in one archive; the base is named by its id."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        config = json.dumps(adapter_json(model), indent=2, default=str) + "\n"
        archive.writestr(zipfile.ZipInfo("adapter_config.json", _ZIP_TIME), config)
        tensors = io.BytesIO(to_safetensors(adapter_state(model), metadata={"format": "pt"}))
        archive.writestr(zipfile.ZipInfo("adapter_model.safetensors", _ZIP_TIME), tensors.getvalue())


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def write_manifest(folder: Path) -> None:
    """Every artifact with its size and hash, written last: what is listed is whole."""
    write_json(folder / MANIFEST, [_entry(p) for p in sorted(folder.iterdir()) if p.name != MANIFEST])


def _entry(path: Path) -> dict[str, Any]:
    return {
        "name": path.name,
        "size_bytes": path.stat().st_size,
        "sha256": file_hash(path),
        "media_type": MEDIA_TYPES.get(path.suffix, "text/plain"),
    }
