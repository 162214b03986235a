"""The files that a run leaves, and the curve file that survives an interruption."""

import hashlib
import json
from pathlib import Path

from worker.finetune.artifacts import Curves, write_lines, write_manifest


def lines(path: Path) -> list[tuple[str, int]]:
    return [(line["name"], line["step"]) for line in map(json.loads, path.read_text().splitlines())]


def test_curves_start_anew_or_drop_what_the_checkpoint_never_saw(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    curves = Curves(path, keep_through=None)
    for step in (1, 2, 3):
        curves.add(step, 0.1, 1.0, {"train/loss": 2.0, "train/grad_norm": None})
    with path.open("a") as file:
        file.write('{"name": "train/loss", "st')  # the process was killed in mid-line
    Curves(path, keep_through=2)
    assert lines(path) == [("train/loss", 1), ("train/grad_norm", 1), ("train/loss", 2), ("train/grad_norm", 2)]
    Curves(path, keep_through=None)
    assert lines(path) == []


def test_the_manifest_lists_every_file_with_its_hash(tmp_path: Path) -> None:
    write_lines(tmp_path / "predictions.jsonl", [{"text": "größer"}])
    (tmp_path / "adapter.zip").write_bytes(b"zip")
    write_manifest(tmp_path)
    write_manifest(tmp_path)
    entries = {entry["name"]: entry for entry in json.loads((tmp_path / "manifest.json").read_text())}
    assert set(entries) == {"predictions.jsonl", "adapter.zip"}
    assert entries["adapter.zip"]["sha256"] == hashlib.sha256(b"zip").hexdigest()
    assert entries["adapter.zip"]["size_bytes"] == 3
    assert entries["adapter.zip"]["media_type"] == "application/zip"
    assert "größer" in (tmp_path / "predictions.jsonl").read_text(encoding="utf-8")
