"""300 malformed files, each in a child of its own: accepted or refused with place and reason, quick and small."""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from app.data.dataset_child import MODULE
from app.data.rows import ROWS_FILE, read_rows
from tests.app.data.dataset_import.malformed import KINDS, File, files

# They are tried where the first test begins; a busy machine may take long over them.
pytestmark = pytest.mark.timeout(1800)

FILES = 300
PROMISED_SECONDS = 2.0  # of one processor: others may be busy on this machine
MOST_BYTES = 300_000_000
# A process of its own around the child: what a child is measured by begins with the memory of whoever started it.
MEASURED = """
import json, resource, subprocess, sys
child = subprocess.run(sys.argv[1:], capture_output=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
said = child.stdout.decode() if child.returncode == 0 else child.stderr.decode(errors="replace")[-1000:]
print(json.dumps([child.returncode, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, said]))
"""
# Where it is wrong, or that it is wrong as a whole.
PLACE = re.compile(r"(After row|Line|Row) \d+|(This is|The file|The Parquet file|The column) ")
NO_SENTENCE = re.compile(r"Traceback|Error\b|errno|object at 0x|limit \(4300|recursion", re.IGNORECASE)


@dataclass(frozen=True)
class Tried:
    file: File
    code: int
    seconds: float
    memory: int
    said: str
    rows: int | None = None  # as stored, where it was accepted

    @property
    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.said)
        return found

    @property
    def messages(self) -> list[str]:
        return [error["message"] for error in self.report.get("errors", [])]


def tried(file: File, folder: Path) -> Tried:
    source, target = folder / "source", folder / "files"
    target.mkdir(parents=True)
    source.write_bytes(file.content)
    file = replace(file, content=b"")  # they are too many to keep
    command = [sys.executable, "-m", MODULE, str(source), str(target), f"--format={file.format}"]
    command += ["--skip-bad-rows"] if file.seed % 3 == 0 else []
    child = subprocess.run([sys.executable, "-ISc", MEASURED, *command], capture_output=True, check=True)
    found = Tried(file, *json.loads(child.stdout))
    if found.code == 0 and not found.messages:
        found = Tried(file, *json.loads(child.stdout), rows=sum(1 for _ in read_rows(target / ROWS_FILE)))
    source.unlink()
    return found


@pytest.fixture(scope="module")
def all_tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Tried]]:
    folder = tmp_path_factory.mktemp("malformed")
    with ThreadPoolExecutor(2) as two:
        yield list(two.map(lambda file: tried(file, folder / str(file.seed)), files(FILES)))


def test_none_ends_the_child_without_an_answer(all_tried: list[Tried]) -> None:
    assert len(all_tried) == FILES
    assert {found.file.kind for found in all_tried} == {kind.__name__ for kind in KINDS}
    assert not [(found.file.name, found.code, found.said) for found in all_tried if found.code != 0]


def test_a_refusal_names_place_and_reason_in_a_sentence(all_tried: list[Tried]) -> None:
    refused = [(found.file.name, message) for found in all_tried for message in found.messages]
    assert not [pair for pair in refused if not PLACE.match(pair[1]) or NO_SENTENCE.search(pair[1])]
    assert not [pair for pair in refused if len(pair[1]) > 1500 or not pair[1].isprintable()]


def test_what_is_accepted_is_whole(all_tried: list[Tried]) -> None:
    accepted = [found for found in all_tried if found.rows is not None]
    assert [found.file.name for found in accepted if found.rows != found.report["imported"]["rows"]] == []
    assert all(found.rows for found in accepted)
    count = Counter(found.file.kind for found in accepted)
    print(f"{len(accepted)} of {FILES} accepted: {dict(count)}")
    assert len(accepted) >= FILES // 10  # not all are beyond use, or nothing but refusing was tried


def test_each_takes_little_time_and_memory(all_tried: list[Tried]) -> None:
    slowest = max(all_tried, key=lambda found: found.seconds)
    largest = max(all_tried, key=lambda found: found.memory)
    print(f"slowest: {slowest.seconds:.2f} s of a processor, {slowest.file.name}")
    print(f"largest: {largest.memory / 1e6:.0f} MB, {largest.file.name}")
    assert slowest.seconds <= 3 * PROMISED_SECONDS, slowest.file.name
    assert largest.memory <= MOST_BYTES, largest.file.name
