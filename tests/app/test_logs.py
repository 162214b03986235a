"""Log lines after an offset: each once, whole, and never more than a chunk at a time."""

from pathlib import Path

import pytest

from app import logs
from app.settings import Settings


@pytest.fixture
def log(settings: Settings) -> Path:
    path = logs.path(settings, 1)
    path.parent.mkdir(parents=True)
    return path


def test_before_anything_is_written_there_is_nothing(settings: Settings) -> None:
    assert logs.read_after(settings, 1, 0) == logs.LogLines([], 0, 0)
    assert logs.tail(settings, 1, 10) == logs.LogLines([], 0, 0)


def test_a_reader_gets_each_line_once_and_only_whole_ones(settings: Settings, log: Path) -> None:
    log.write_text("one\ntwo\nthr")
    first = logs.read_after(settings, 1, 0)
    assert (first.lines, first.next, first.size) == (["one", "two"], 8, 11)
    assert logs.read_after(settings, 1, first.next).lines == []
    with log.open("a") as file:
        file.write("ee\n")
    assert logs.read_after(settings, 1, first.next).lines == ["three"]


def test_a_log_that_was_begun_anew_is_read_from_its_start(settings: Settings, log: Path) -> None:
    log.write_text("new\n")
    assert logs.read_after(settings, 1, 4000).lines == ["new"]


def test_a_long_log_comes_in_chunks(settings: Settings, log: Path) -> None:
    lines = [f"line {number} {'ä' * (number % 90)}" for number in range(20_000)]
    log.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    seen: list[str] = []
    offset = 0
    while (found := logs.read_after(settings, 1, offset)).lines:
        assert found.next - offset <= logs.CHUNK_BYTES
        seen += found.lines
        offset = found.next
    assert seen == lines
    assert offset == found.size
    assert logs.tail(settings, 1, 3).lines == lines[-3:]
    assert logs.tail(settings, 1, 10**6).lines == lines[-len(logs.tail(settings, 1, 10**6).lines) :]


def test_a_line_longer_than_a_chunk_holds_nobody_up(settings: Settings, log: Path) -> None:
    log.write_text("x" * (logs.CHUNK_BYTES + 10) + "\nnext\n")
    first = logs.read_after(settings, 1, 0)
    second = logs.read_after(settings, 1, first.next)
    assert "".join(first.lines) + second.lines[0] == "x" * (logs.CHUNK_BYTES + 10)
    assert second.lines[1:] == ["next"]


def test_separators_inside_a_line_do_not_break_it(settings: Settings, log: Path) -> None:
    log.write_text("a\u2028b\x0cc\rd\ne\n", encoding="utf-8", newline="")
    assert logs.read_after(settings, 1, 0).lines == ["a\u2028b\x0cc\rd", "e"]


def test_bytes_that_are_no_text_are_shown_as_such(settings: Settings, log: Path) -> None:
    log.write_bytes(b"caf\xe9\n")
    assert logs.read_after(settings, 1, 0).lines == ["caf\ufffd"]
