"""Every format, and every way in which a file of it can be wrong."""

import json
from io import BytesIO
from typing import Any

import pytest

from app.data.dataset_import import formats, json_files
from app.data.dataset_import.records import MAX_ROW_BYTES
from app.errors import Invalid, WrongMediaType

A = {"instruction": "Ask a", "response": "Tell a"}
B = {"instruction": "Ask b", "response": "Tell b"}
PAIRS = [("Ask a", "Tell a"), ("Ask b", "Tell b")]


def jsonl(*rows: Any) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@pytest.mark.parametrize(
    ("content", "format"),
    [
        (jsonl(A, B), "jsonl"),
        (jsonl(A, B).rstrip(), "jsonl"),
        (b"\xef\xbb\xbf" + jsonl(A, B), "jsonl"),
        (jsonl(A, B).replace(b"\n", b"\r\n"), "jsonl"),
        (b"\n  \n" + jsonl(A) + b"\n\n" + jsonl(B), "jsonl"),
        (json.dumps([A, B]).encode(), "json"),
        (b"\xef\xbb\xbf \n" + json.dumps([A, B], indent=4).encode() + b"\n", "json"),
        (json.dumps([A, B]).encode(), "jsonl"),
        (jsonl(A, B), "json"),
        (b"instruction,response\nAsk a,Tell a\nAsk b,Tell b\n", "csv"),
        (b'\xef\xbb\xbfinstruction,response\r\n"Ask a","Tell a"\r\n\r\nAsk b,Tell b', "csv"),
        (b"Instruction; Response\nAsk a;Tell a\nAsk b;Tell b\n", "csv"),
        (b"instruction\tresponse\nAsk a\tTell a\nAsk b\tTell b\n", "tsv"),
    ],
)
def test_the_same_rows_are_read_from_every_format(importer: Any, content: bytes, format: str) -> None:
    assert importer(content, format).pairs == PAIRS


def test_parquet_is_read_with_its_lists_and_missing_values(importer: Any) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    turns = [
        [{"role": "user", "content": f"Ask {n}"}, {"role": "assistant", "content": f"Tell {n}"}] for n in range(300)
    ]
    table = pyarrow.table({"messages": turns, "group": [None, "g"] * 150})
    file = BytesIO()
    parquet.write_table(table, file, row_group_size=100)
    imported = importer(file.getvalue(), "parquet")
    assert imported.pairs == [(f"Ask {n}", f"Tell {n}") for n in range(300)]
    assert [row.group for row in imported.rows[:2]] == [None, "g"]
    assert imported.report["columns"] == ["messages", "group"]


@pytest.mark.parametrize("content", [b"PAR1 cut off", b"", b"no parquet at all"])
def test_a_broken_parquet_file_is_refused(refuser: Any, content: bytes) -> None:
    pytest.importorskip("pyarrow")
    (message,) = refuser(content, "parquet")
    assert "cannot be read" in message


def test_without_pyarrow_parquet_is_refused_with_the_way_out(refuser: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (message,) = refuser(b"PAR1", "parquet")
    assert "tuneboard[worker]" in message


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"instruction": "a", "response": }', "Line 2 is not valid JSON: Expecting value (column 34)"),
        (b'{"instruction": "a", "response": "b"', "Line 2 is not valid JSON"),
        (b"[1, 2]", "Line 2 is not an object"),
        (b'"text"', "Line 2 is not an object"),
        (b'{"instruction": "a", "response": "b", "response": "c"}', 'Line 2 has the key "response" twice'),
        (b'{"instruction": "a", "response": NaN}', "Line 2 has NaN"),
        (b'{"instruction": "a", "response": "caf\xe9"}', "Line 2 is not UTF-8 (byte 0xe9)"),
        (b'{"instruction": "a", "response": "b\\u0000"}', "Line 2 has a NUL character"),
        (b'{"instruction": "a\0", "response": "b"}', "Line 2 is not valid JSON: Invalid control character"),
        (b'{"instruction": "a", "response": "\\ud800"}', "Line 2 has half a surrogate pair"),
        (b'{"instruction": "a", "response": ""}', "Line 2 has an empty response"),
        (b'{"instruction": " ", "response": "b"}', "Line 2 has an empty prompt"),
        (b'{"instruction": "a", "response": null}', "Line 2 has an empty response"),
        (b'{"instruction": "a", "response": ["b"]}', 'Line 2 has a list in "response"'),
        (b'{"instruction": {"x": 1}, "response": "b"}', 'Line 2 has a dict in "instruction"'),
        (b'{"instruction": "a"}', "Line 2 has no column for the response"),
        (b"[" * 100_000, "Line 2 is nested too deeply"),
        (b'{"instruction": ' + b"9" * 5000 + b', "response": "b"}', "Line 2 has a number of 5,000 digits"),
        (b'{"instruction": "a", "response": 1e999}', "Line 2 has 1e999, a number that is too large"),
    ],
)
def test_a_bad_line_is_named_with_its_reason_or_left_out(importer: Any, refuser: Any, line: bytes, reason: str) -> None:
    content = jsonl(A) + line + b"\n" + jsonl(B)
    (message,) = refuser(content)
    assert reason in message
    skipped = importer(content, skip=True)
    assert skipped.pairs == PAIRS
    assert skipped.report["skipped_rows"] == 1
    assert f"Left out: {reason}" in skipped.report["warnings"][0]


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (b'{"instruction": "a", "response": ""}', "Row 2 (line 3) has an empty response"),
        (b'{"a": {"b": 1, "b": 2}}', 'Row 2 (line 3) has the key "b" twice'),
        (b'{"instruction": "a", "response": NaN}', "Row 2 (line 3) has NaN"),
        (b'{"instruction": "a", "response": "caf\xe9"}', "Row 2 (line 3) is not UTF-8"),
        (b"12", "Row 2 (line 3) is not an object"),
    ],
)
def test_a_bad_row_of_an_array_is_named_or_left_out(importer: Any, refuser: Any, item: bytes, reason: str) -> None:
    content = b"[\n" + json.dumps(A).encode() + b",\n" + item + b",\n" + json.dumps(B).encode() + b"\n]"
    (message,) = refuser(content, "json")
    assert reason in message
    assert importer(content, "json", skip=True).pairs == PAIRS


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'[{"instruction": "a", "response": "b"}', "Line 1: the array is not closed"),
        (b'[{"instruction": "a", "response": "b"},', "the array is not closed"),
        (b'[{"instruction": "a", "resp', "the array is not closed"),
        (b'[{"instruction": "a", "response": "b"}\n{"instruction": "c"}]', "Line 2: ',' or ']' is missing before '{'"),
        (b'[\n{"instruction" "a"}, {}]', "Line 2: is not valid JSON"),
        (b'[{"instruction": "a", "response": "b"},]', "is not valid JSON"),
        (b"[] []", "more text after the end"),
        (b"[]", "The file has no rows"),
        (b"[", "the array is not closed"),
    ],
)
def test_a_broken_array_is_refused_even_where_bad_rows_are_skipped(refuser: Any, content: bytes, reason: str) -> None:
    for skip in (False, True):
        assert reason in refuser(content, "json", skip=skip)[-1]


def test_rows_across_the_pieces_of_an_array_are_read_whole(importer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"instruction": f"Ä {n}", "response": 'ß\n"[{,' * (n % 7 + 1), "n": [n, {"x": n * 1.5}]} for n in range(50)]
    content = json.dumps(rows, ensure_ascii=False, indent=1).encode()
    whole = importer(content, "json").pairs
    assert len(whole) == 50
    for size in (1, 7, 64):
        monkeypatch.setattr(json_files, "CHUNK", size)
        assert importer(content, "json").pairs == whole


@pytest.mark.parametrize("format", ["jsonl", "json", "csv"])
def test_a_row_of_more_than_ten_megabytes_is_refused(refuser: Any, format: str) -> None:
    long = "x" * (MAX_ROW_BYTES + 10)
    contents = {
        "jsonl": jsonl(A, {"instruction": "a", "response": long}),
        "json": json.dumps([A, {"instruction": "a", "response": long}]).encode(),
        "csv": f'instruction,response\nAsk a,Tell a\na,"{long}"\n'.encode(),
    }
    (message,) = refuser(contents[format], format)
    assert "longer than 10 MB" in message


def test_a_row_of_almost_ten_megabytes_is_read(importer: Any) -> None:
    long = "x" * (MAX_ROW_BYTES - 100)
    row = {"instruction": "a", "response": long}
    for kind, content in (("jsonl", jsonl(row, B)), ("json", json.dumps([row, B]).encode())):
        assert importer(content, kind).pairs[0] == ("a", long)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"instruction,response\na,b\na\n", "Line 3 has 1 fields, the header has 2"),
        (b"instruction,response\na,b\na,b,c\n", "Line 3 has 3 fields, the header has 2"),
        (b'instruction,response\na,b\n"a"x,b\n', "Line 3 is not valid CSV"),
        (b'instruction,response\n"a\nb",c\nd,\n', "Line 4 has an empty response"),
        (b"instruction,response\na,caf\xe9\n", "Line 2 is not UTF-8 (byte 0xe9)"),
        (b"instruction,response\na,b\0\n", "Line 2 has a NUL character"),
    ],
)
def test_a_bad_row_of_a_table_is_named_by_the_line_it_begins_in(refuser: Any, content: bytes, reason: str) -> None:
    assert reason in refuser(content, "csv")[0]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'instruction,response\na,b\nc,"d\n', "Line 3: a quoted field is not closed"),
        (b"\n\n", "no header"),
        (b"a,a\n1,2\n", 'the column "a" occurs twice'),
        (b'"a\n', "the header is not valid CSV"),
    ],
)
def test_a_table_that_cannot_be_read_on_is_refused(refuser: Any, content: bytes, reason: str) -> None:
    assert reason in refuser(content, "csv", skip=True)[0]


def test_cells_keep_their_line_ends_commas_and_quotes(importer: Any) -> None:
    content = b'instruction,response\r\n"a, ""b""\r\nc",d\r\n'
    assert importer(content, "csv").pairs == [('a, "b"\nc', "d")]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "The file is empty"),
        (b"  \n\n", "The file has no rows"),
        (b"PK\x03\x04rest", "ZIP or Excel"),
        (b"PAR1rest", "a Parquet file"),
        (b"\x1f\x8brest", "a gzip file"),
        ('{"instruction": "a", "response": "b"}\n'.encode("utf-16"), "UTF-16"),
        ('{"instruction": "a", "response": "b"}\n'.encode("utf-16-be"), "UTF-16"),
    ],
)
def test_what_is_no_text_at_all_is_one_error(refuser: Any, content: bytes, reason: str) -> None:
    (message,) = refuser(content)
    assert reason in message


def test_the_first_twenty_bad_rows_are_named(refuser: Any, importer: Any) -> None:
    content = jsonl(A, *[{"instruction": "a", "response": ""}] * 30, B)
    messages = refuser(content)
    assert len(messages) == 20
    assert messages[0].startswith("Line 2 ")
    assert messages[-1].startswith("Line 21 ")
    skipped = importer(content, skip=True).report
    assert skipped["skipped_rows"] == 30
    assert "Left out: 10 more rows" in skipped["warnings"]


def test_a_file_of_bad_rows_only_is_refused_even_where_they_are_skipped(refuser: Any) -> None:
    assert len(refuser(jsonl({"instruction": "a", "response": ""}), skip=True)) == 1


@pytest.mark.parametrize(
    ("name", "stated", "format"),
    [
        ("a.jsonl", None, "jsonl"),
        ("a.b.NDJSON", None, "jsonl"),
        ("a.json", None, "json"),
        ("a.csv", None, "csv"),
        ("a.tsv", None, "tsv"),
        ("a.parquet", None, "parquet"),
        ("a.txt", "jsonl", "jsonl"),
        ("a", "csv", "csv"),
    ],
)
def test_the_format_is_told_by_the_name_unless_stated(name: str, stated: str | None, format: str) -> None:
    assert formats.choose(name, stated) == format


def test_a_name_that_tells_of_no_format_is_a_wrong_media_type() -> None:
    for name in ("a.docx", "a", "a.jsonl.gz", ""):
        with pytest.raises(WrongMediaType):
            formats.choose(name, None)
    with pytest.raises(Invalid, match="'xml' is not a format"):
        formats.choose("a.jsonl", "xml")
