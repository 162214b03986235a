"""Points that earlier attempts wrote down, whatever has become of the file."""

import json
from pathlib import Path

from worker.protocol import Points
from worker.series import POINTS_FILE, recorded


def line(step: int, **changes: object) -> str:
    return json.dumps({"name": "train/loss", "step": step, "epoch": 0.5, "time": 1.0, "value": 2.0} | changes) + "\n"


def test_lines_that_were_cut_or_damaged_are_left_out_and_the_others_taken(tmp_path: Path) -> None:
    damaged = ["\x00" * 40 + "\n", '{"name": "train/lo' + line(3), line(4, time="four"), "[]\n", line(6)[:-1]]
    (tmp_path / POINTS_FILE).write_text("".join([line(1), *damaged[:2], line(2, value=None), *damaged[2:]]))
    with (tmp_path / POINTS_FILE).open("ab") as file:
        file.write(b"\xff\xfe\n")
    assert [(points.step, points.values) for points in recorded(tmp_path)] == [
        (1, {"train/loss": 2.0}),
        (2, {"train/loss": None}),
    ]
    assert isinstance(next(recorded(tmp_path)), Points)


def test_no_file_is_no_points(tmp_path: Path) -> None:
    assert list(recorded(tmp_path)) == []
