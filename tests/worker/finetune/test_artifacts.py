"""The files that a run leaves, and the curve file that survives an interruption."""

import hashlib
import json
import math
from pathlib import Path

import pytest

from worker.finetune.artifacts import Curves, write_lines, write_manifest


def lines(path: Path) -> list[tuple[str, int]]:
    return [(line["name"], line["step"]) for line in map(json.loads, path.read_text().splitlines())]


def test_curves_start_anew_or_drop_what_the_checkpoint_never_saw(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    curves = Curves(path, keep=0)
    for step in (1, 2):
        curves.add(step, 0.1, 1.0, {"train/loss": 2.0, "train/grad_norm": None})
    position = curves.sync()
    curves.add(2, 0.1, 1.0, {"eval/loss": 3.0})  # at the step of the checkpoint, and after it
    with path.open("a") as file:
        file.write('{"name": "train/loss", "st')  # the process was killed in mid-line
    Curves(path, keep=position)
    assert lines(path) == [("train/loss", 1), ("train/grad_norm", 1), ("train/loss", 2), ("train/grad_norm", 2)]
    Curves(path, keep=position - 3)  # what the disk lost of it is lost, and never half a line
    assert lines(path) == [("train/loss", 1), ("train/grad_norm", 1), ("train/loss", 2)]
    Curves(path, keep=0)
    assert lines(path) == []


def test_a_file_that_is_kept_open_has_each_point_at_once_and_is_opened_once(tmp_path: Path) -> None:
    path, moved = tmp_path / "metrics.jsonl", tmp_path / "moved"
    curves = Curves(path, keep=0)
    with curves.kept_open():
        curves.add(1, 0.1, 1.0, {"train/loss": 2.0})
        assert lines(path) == [("train/loss", 1)]
        assert curves.sync() == path.stat().st_size
        path.rename(moved)
        curves.add(2, 0.1, 1.0, {"train/loss": 2.0})
        assert lines(moved) == [("train/loss", 1), ("train/loss", 2)]
        moved.rename(path)
    curves.add(2, 0.1, 1.0, {"eval/loss": 3.0})  # by whoever comes later
    assert lines(path) == [("train/loss", 1), ("train/loss", 2), ("eval/loss", 2)]


def test_what_is_no_number_is_null_and_the_json_valid(tmp_path: Path) -> None:
    Curves(tmp_path / "m", keep=0).add(1, 0.1, 1.0, {"train/loss": math.nan, "train/grad_norm": math.inf})
    values = [json.loads(line, parse_constant=pytest.fail) for line in (tmp_path / "m").read_text().splitlines()]
    assert [value["value"] for value in values] == [None, None]


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
