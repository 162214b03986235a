"""Rows as tokens from an earlier run: the very same, or none; never those of other rows, a damaged file or old code."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.data.rows import Message, Row
from worker.finetune import keys, row_tokens, token_cache
from worker.finetune.errors import Stopped
from worker.finetune.pipeline import Outcome, finetune
from worker.finetune.reporter import Silent
from worker.finetune.row_tokens import Reader
from worker.finetune.selection import Numbered
from worker.finetune.tokenizer import load_tokenizer
from worker.finetune.turns import Template, make_template

EOS = 1
ROWS: list[Numbered] = [
    (7, Row("What is item 7? " * 12, "Some text.", "Item 7 follows item 6.")),
    (3, Row("", "", "An answer to nothing.")),
    (
        11,
        Row(
            messages=(
                Message("user", "What is item 1?"),
                Message("assistant", "The first."),
                Message("user", "And item 2?"),
                Message("assistant", "The second \N{SNOWMAN}."),
            )
        ),
    ),
]


@pytest.fixture(scope="module")
def chatty(chat_llama: Path) -> Any:
    return load_tokenizer(chat_llama)


@pytest.fixture(scope="module")
def chat(chatty: Any) -> Template:
    return make_template("chat", chatty, (EOS,))


@pytest.fixture
def reader(chatty: Any, tmp_path: Path) -> Reader:
    return Reader(chatty, keys.tokenizer_hash(chatty), "a data set", tmp_path / "tokens", Silent())


@pytest.fixture
def encodings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each call tokenised."""
    counts: list[int] = []
    encode = row_tokens.encode

    def counted(rows: Any, *rest: Any) -> Any:
        counts.append(len(rows))
        return encode(rows, *rest)

    monkeypatch.setattr(row_tokens, "encode", counted)
    return counts


def only_entry(reader: Reader) -> Path:
    assert reader.cache is not None
    [path] = reader.cache.iterdir()
    return path


@pytest.mark.parametrize("choice", ["chat", "plain"])
def test_rows_are_tokenised_once_and_come_back_the_same(
    reader: Reader, chatty: Any, choice: str, encodings: list[int]
) -> None:
    template = make_template(choice, chatty, (EOS,))
    first = list(reader.read(ROWS, template))
    assert list(reader.read(ROWS, template)) == first
    assert encodings == [len(ROWS)]
    assert [item.row for item in first] == [7, 3, 11]
    assert [item.fit(100) for item in reader.read(ROWS, template)] == [item.fit(100) for item in first]


def test_without_a_folder_nothing_is_kept(reader: Reader, chat: Template, encodings: list[int]) -> None:
    aside = replace(reader, cache=None)
    assert list(aside.read(ROWS, chat)) == list(aside.read(ROWS, chat))
    assert encodings == [len(ROWS), len(ROWS)]


CHANGES: list[Callable[[Reader, Template], tuple[Reader, Template, list[Numbered]]]] = [
    lambda reader, template: (replace(reader, dataset="another"), template, ROWS),
    lambda reader, template: (replace(reader, tokenizer_hash="another"), template, ROWS),
    lambda reader, template: (reader, replace(template, identity="another"), ROWS),
    lambda reader, template: (reader, replace(template, end_id=2), ROWS),
    lambda reader, template: (reader, template, ROWS[::-1]),
    lambda reader, template: (reader, template, ROWS[:2]),
]


@pytest.mark.parametrize("change", CHANGES, ids=["dataset", "tokenizer", "template", "end mark", "order", "fewer"])
def test_whatever_could_make_other_tokens_makes_another_entry(
    reader: Reader, chat: Template, encodings: list[int], change: Any
) -> None:
    list(reader.read(ROWS, chat))
    other, template, rows = change(reader, chat)
    assert [item.row for item in other.read(rows, template)] == [number for number, _ in rows]
    assert encodings == [len(ROWS), len(rows)]


def test_tokens_of_another_version_of_the_program_are_never_used(
    reader: Reader, chat: Template, encodings: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    list(reader.read(ROWS, chat))
    monkeypatch.setattr(token_cache, "_code", lambda: ["changed"])
    list(reader.read(ROWS, chat))
    assert encodings == [len(ROWS), len(ROWS)]


def flip(at: float) -> Callable[[bytes], bytes]:
    def damage(whole: bytes) -> bytes:
        place = int(at * (len(whole) - 1))
        return whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]

    return damage


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "a bit of the hash": flip(0.0),
    "a bit of the head": flip(0.1),
    "a bit of the middle": flip(0.7),
    "the last bit": flip(1.0),
    "its end": lambda whole: whole[:-1],
    "all but the hash": lambda whole: whole[: token_cache.DIGEST],
    "everything": lambda whole: whole[:0],
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_entry_is_never_used_and_is_made_again(
    reader: Reader, chat: Template, encodings: list[int], damage: Callable[[bytes], bytes]
) -> None:
    first = list(reader.read(ROWS, chat))
    whole = only_entry(reader).read_bytes()
    only_entry(reader).write_bytes(damage(whole))
    assert list(reader.read(ROWS, chat)) == first
    assert encodings == [len(ROWS), len(ROWS)]
    assert only_entry(reader).read_bytes() == whole


def test_an_entry_under_anothers_name_is_never_used(reader: Reader, chat: Template, encodings: list[int]) -> None:
    list(reader.read(ROWS, chat))
    entry = only_entry(reader)
    list(reader.read(ROWS[:1], chat))
    assert reader.cache is not None
    [other] = set(reader.cache.iterdir()) - {entry}
    other.replace(entry)
    assert len(list(reader.read(ROWS, chat))) == len(ROWS)
    assert encodings == [len(ROWS), 1, len(ROWS)]


def test_what_was_used_longest_ago_goes_when_there_is_too_much(tmp_path: Path, reader: Reader, chat: Template) -> None:
    rows = list(replace(reader, cache=None).read(ROWS, chat))
    names = [f"{number:032x}" for number in range(4)]
    for age, name in enumerate(names[:3]):
        token_cache.store(tmp_path, name, rows)
        os.utime(tmp_path / f"{name}.tokens", (1000 + age, 1000 + age))
    assert token_cache.load(tmp_path, names[0]) == rows  # is used, so that the second is now the oldest
    size = (tmp_path / f"{names[0]}.tokens").stat().st_size
    token_cache.store(tmp_path, names[3], rows, limit=3 * size)
    assert [token_cache.load(tmp_path, name) is not None for name in names] == [True, False, True, True]


def test_rows_too_many_to_keep_are_tokenised_each_time(
    reader: Reader, chat: Template, encodings: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_cache, "LARGEST", 100)
    assert list(reader.read(ROWS, chat)) == list(reader.read(ROWS, chat))
    assert encodings == [len(ROWS), len(ROWS)]


def test_a_folder_that_cannot_be_written_is_no_reason_to_fail(
    tmp_path: Path, reader: Reader, chat: Template, recording: Any
) -> None:
    (tmp_path / "file").write_text("in the way")
    told = recording()
    aside = replace(reader, cache=tmp_path / "file" / "tokens", reporter=told)
    assert len(list(aside.read(ROWS, chat))) == len(ROWS)
    [line] = told.logged
    assert line.startswith("The rows' tokens are not kept for the next run: ")


def test_a_stop_half_way_leaves_no_entry(
    reader: Reader, chat: Template, recording: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.finetune.tokens.CHUNK", 2)
    asked: list[None] = []
    stopping = replace(reader, reporter=recording(stop_at=lambda _: asked.append(None) or len(asked) == 2))
    with pytest.raises(Stopped):
        list(stopping.read(ROWS, chat))
    assert reader.cache is not None
    assert not reader.cache.exists()


def test_what_a_killed_process_left_goes(tmp_path: Path, reader: Reader, chat: Template) -> None:
    for name, age in ((".one.1.tmp", 2 * token_cache.STALE_SECONDS), (".two.2.tmp", 0.0)):
        (tmp_path / name).write_bytes(b"half")
        changed = (tmp_path / name).stat().st_mtime - age
        os.utime(tmp_path / name, (changed, changed))
    token_cache.store(tmp_path, "key", list(replace(reader, cache=None).read(ROWS, chat)))
    assert {path.name for path in tmp_path.iterdir()} == {".two.2.tmp", "key.tokens"}


def test_a_run_with_known_tokens_comes_to_the_same_bits(
    chat_llama: Path, rows: Path, make_config: Any, tmp_path: Path, encodings: list[int]
) -> None:
    config = make_config(data__validation_fraction=0.1, training__max_steps=3, lora__lora_dropout=0.1)

    def run(name: str, **options: Any) -> tuple[Outcome, bytes]:
        folder = tmp_path / name
        outcome = finetune(
            config, model_path=chat_llama, rows_path=rows, output_dir=folder, reporter=Silent(), **options
        )
        return outcome, (folder / "artifacts/adapter.zip").read_bytes()

    plain, plain_adapter = run("plain")
    first, first_adapter = run("first", cache_dir=tmp_path / "tokens")
    tokenised = len(encodings)
    second, second_adapter = run("second", cache_dir=tmp_path / "tokens")
    assert len(encodings) == tokenised
    assert plain.results == first.results == second.results
    assert plain_adapter == first_adapter == second_adapter


def test_a_file_in_pieces_has_the_hash_of_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tmp_path / "whole"
    whole.write_bytes(bytes(range(100)))
    expected = keys.file_hash(whole)
    monkeypatch.setattr(keys, "PIECE", 7)
    assert keys.file_hash(whole) == expected
