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
    assert logs.search(settings, 1, "x", 0) == logs.LogLines([], 0, 0)


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


@pytest.fixture
def numbered(log: Path) -> list[str]:
    """Lines of other lengths in bytes than in characters, more than a chunk of them."""
    lines = [f"line {number} {'ä' * (number % 90)} Loss" for number in range(8_000)]
    log.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return lines


def test_every_line_is_found_again_by_its_offset(settings: Settings, log: Path, numbered: list[str]) -> None:
    found = logs.tail(settings, 1, 50)
    assert found.lines == numbered[-50:]
    content = log.read_bytes()
    for line, offset in zip(found.lines, found.offsets, strict=True):
        assert content[offset:].startswith(line.encode())
    assert logs.read_after(settings, 1, found.offsets[7], count=3).lines == numbered[-43:-40]


def test_one_reads_back_from_the_end_to_the_beginning(settings: Settings, numbered: list[str]) -> None:
    seen: list[str] = []
    place = logs.tail(settings, 1, 1).size
    while place:
        part = logs.read_before(settings, 1, place, 300)
        seen = part.lines + seen
        place = part.offsets[0]
    assert seen == numbered


def test_a_line_is_shown_among_its_neighbours(settings: Settings, numbered: list[str]) -> None:
    (at,) = [o for o, line in zip(*_all(settings), strict=True) if line == numbered[4000]]
    found = logs.read_around(settings, 1, at, 5)
    assert found.lines == numbered[3995:4005]
    assert logs.read_around(settings, 1, 0, 2).lines == numbered[:2]


def _all(settings: Settings) -> tuple[list[int], list[str]]:
    found = logs.search(settings, 1, "", 0)
    offsets, lines = found.offsets, found.lines
    while (found := logs.search(settings, 1, "", found.next)).lines:
        offsets, lines = offsets + found.offsets, lines + found.lines
    return offsets, lines


def test_a_search_finds_every_line_once_in_all_parts_of_the_log(settings: Settings, numbered: list[str]) -> None:
    found = logs.search(settings, 1, "LINE 79", 0)
    assert found.lines == [line for line in numbered if line.startswith("line 79")]
    assert found.next == found.size
    assert _all(settings)[1] == numbered, "more than one answer holds"
    assert logs.search(settings, 1, "nowhere", 0).lines == []
