"""A seeded generator of files that nobody should upload and somebody will: `files(count)` gives their kinds in turn."""

import bz2
import gzip
import io
import json
import pickle
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from random import Random
from typing import Any

import pyarrow
from pyarrow import parquet

FORMATS = ("jsonl", "json", "csv", "tsv", "parquet")
WORDS = [
    "the",
    "a",
    "of",
    "patient",
    "fever",
    "water",
    "café",
    "naïve",
    "東京",
    "and",
    "sleep",
    "Ω",
    "better",
    "😀",
    "rest",
]


PAIR = '{"prompt": "a", "response": "b"}'

# A format and the bytes that are said to be in it.
Made = tuple[str, bytes]


@dataclass(frozen=True)
class File:
    kind: str
    seed: int
    format: str
    content: bytes

    @property
    def name(self) -> str:
        return f"{self.kind} {self.seed} ({self.format})"


def files(count: int) -> Iterator[File]:
    """The same files for the same count; a file's bytes come from its seed alone."""
    for seed, kind in islice(enumerate(cycle(KINDS)), count):
        random = Random(seed)
        made = kind(random)
        form, content = made if isinstance(made, tuple) else (random.choice(FORMATS[:4]), made)
        yield File(kind.__name__, seed, form, content)


def valid(random: Random, form: str, rows: int = 60) -> bytes:
    """What everything else is a damaged copy of."""
    pairs = [{"prompt": _text(random, 8), "response": _text(random, 12), "group": str(i % 9)} for i in range(rows)]
    if form == "parquet":
        sink = io.BytesIO()
        parquet.write_table(pyarrow.Table.from_pylist(pairs), sink, row_group_size=20)
        return sink.getvalue()
    if form in ("csv", "tsv"):
        mark = "\t" if form == "tsv" else ","
        lines = [mark.join(f'"{value}"' for value in pair.values()) for pair in pairs]
        return "\n".join([mark.join(pairs[0]), *lines, ""]).encode()
    if form == "json":
        return json.dumps(pairs, ensure_ascii=False, indent=random.choice((None, 1))).encode()
    talks = [{"messages": [_turn("user", p["prompt"]), _turn("assistant", p["response"])]} for p in pairs]
    chosen = random.choice((pairs, talks))
    return "".join(json.dumps(row, ensure_ascii=random.random() < 0.5) + "\n" for row in chosen).encode()


def _text(random: Random, words: int) -> str:
    return " ".join(random.choices(WORDS, k=random.randint(1, words)))


def _turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _any(random: Random) -> Made:
    form = random.choice(FORMATS)
    return form, valid(random, form)


def _rows(*rows: str) -> Made:
    return "jsonl", "".join(f"{row}\n" for row in rows).encode()


def _one_of(random: Random, *makers: Callable[[], Made]) -> Made:
    """Only what is chosen is made: some are large."""
    return random.choice(makers)()


def _parquet(columns: dict[str, Any], **options: Any) -> Made:
    sink = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), sink, **options)
    return "parquet", sink.getvalue()


def cut_off(random: Random) -> Made:
    form, content = _any(random)
    return form, content[: random.randrange(len(content))]


def bits_flipped(random: Random) -> Made:
    form, content = _any(random)
    changed = bytearray(content)
    for _ in range(random.choice((1, 5, 50))):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return form, bytes(changed)


def parquet_bits_flipped(random: Random) -> Made:
    """Of the footer, where sizes and offsets stand."""
    changed = bytearray(valid(random, "parquet"))
    size = int.from_bytes(changed[-8:-4], "little")
    for _ in range(random.choice((1, 2, 8))):
        changed[len(changed) - 8 - random.randrange(size)] ^= 1 << random.randrange(8)
    return "parquet", bytes(changed)


def wrong_encoding(random: Random) -> Made:
    form = random.choice(FORMATS[:4])
    text = valid(random, form).decode()
    encoding = random.choice(("utf-16", "utf-16-be", "utf-32", "latin-1", "cp1252", "utf-8-sig", "utf-7", "shift-jis"))
    return form, text.encode(encoding, "replace")


def bytes_that_are_no_text(random: Random) -> Made:
    form = random.choice(FORMATS[:4])
    content = bytearray(valid(random, form))
    odd = random.choice((b"\0", b"\xff", b"\xed\xa0\x80", b"\xc3", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf", b"\0" * 999))
    for _ in range(random.choice((1, 30))):
        at = random.randrange(len(content))
        content[at:at] = odd
    return form, bytes(content)


def half_a_pair(random: Random) -> Made:
    half = random.choice(('"\\ud800"', '"\\udfff x"', '"a\\u0000"'))
    row = random.choice(
        (f'{{"prompt": {half}, "response": "b"}}', f'{{{half}: 1, "prompt": "a", "response": "b"}}',
         f'{{"prompt": "a", "response": "b", "group": {half}}}', f'{{"messages": [{{"role": {half}}}]}}')
    )  # fmt: skip
    return _rows(row, PAIR)


def nested_bomb(random: Random) -> Made:
    depth = random.choice((900, 5000, 200_000))
    closed = "[" * depth + "]" * depth
    bomb = random.choice(("[" * depth, '{"a":' * depth, closed, '{"prompt":' * depth + "1" + "}" * depth))
    return random.choice(
        (
            _rows(bomb),
            _rows(f'{{"prompt": {bomb}, "response": "b"}}'),
            _rows(PAIR, f'{{"messages": {bomb}}}'),
            ("json", f"[{bomb}".encode()),
            ("json", f"[{PAIR}, {bomb}".encode()),
            ("csv", f'messages\n"{closed}"\n'.encode()),
        )
    )


def gigantic_line(random: Random) -> Made:
    size = random.choice((9_900_000, 10_100_000, 25_000_000))
    piece = random.choice(("x", "a ", '\\"', "\\u00e9"))
    text = piece * (size // len(piece))
    row = '{"prompt": "a", "response": "' + text + '"}'
    return _one_of(
        random,
        lambda: _rows(row, PAIR),
        lambda: ("json", f"[{row}]".encode()),
        lambda: ("jsonl", text.encode()),
        lambda: ("csv", f'prompt,response\na,"{text}"\n'.encode()),
        lambda: ("csv", f"prompt,{text}\na,b\n".encode()),
        lambda: ("json", b"[" + b" " * size),
    )


def gigantic_number(random: Random) -> Made:
    number = random.choice(("9" * 5000, "9" * 400_000, "1e999", "-1e999", "NaN", "Infinity", "0." + "1" * 9000))
    unused = f'{{"prompt": "a", "response": "b", "x": {number}}}'
    row = random.choice((f'{{"prompt": "a", "response": {number}}}', unused))
    return random.choice(
        (_rows(row), ("json", f"[{row}]".encode()), ("csv", f"prompt,response\na,{number}\n".encode()))
    )


def doubles(random: Random) -> Made:
    names = [f"c{i}" for i in range(random.choice((1, 30_000)))]
    row = '{"prompt": "a", "response": "b", ' + ", ".join(f'"{name}": 1' for name in [*names, names[-1]]) + "}"
    head = ",".join(["prompt", "response", *names, names[-1]])
    return _one_of(
        random,
        lambda: _rows(row),
        lambda: ("json", f"[{row}]".encode()),
        lambda: ("csv", f"{head}\na,b\n".encode()),
        lambda: ("csv", b"Prompt,prompt,response\na,b,c\n"),
        _twice_in_parquet,
    )


def _twice_in_parquet() -> Made:
    values = pyarrow.array(["a", "b"])
    sink = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_arrays([values] * 3, names=["prompt", "response", "response"]), sink)
    return "parquet", sink.getvalue()


def mixed_types(random: Random) -> Made:
    odd = (None, True, 1.5, [], {}, ["a"], {"a": 1}, "", " ", 0)
    pairs = [{name: random.choice(odd) for name in ("prompt", "response", "group")} for _ in range(9)]
    talk = random.choice((None, "x", [], [1], [{}], [{"role": 1, "content": 2}], {"role": "user"}))
    rows = random.choice((pairs, [{"messages": talk}], [[1, 2]], ["text"], [None, 3], [{}], [{"x": 1}]))
    return random.choice((_rows(*map(json.dumps, rows)), ("json", json.dumps(rows).encode())))


def empty(random: Random) -> bytes:
    blank = (b"", b"\n", b" \n\t \r\n" * 1000, b"\xef\xbb\xbf", b"\n" * 1_000_000)
    bare = (b"[]", b"{}", b"null", b"[", b"]", b"[,]", b"[[]]", b'""', b"0")
    return random.choice((*blank, *bare, b",\n,\n", b"prompt,response\n", b"prompt\tresponse"))


def ragged_table(random: Random) -> Made:
    widths = [random.choice((0, 1, 2, 2, 2, 3, 400)) for _ in range(90)]
    lines = [",".join("x" * random.randrange(4) for _ in range(width)) for width in widths]
    body = "\n".join(["prompt,response", *lines])
    return random.choice(("csv", "tsv")), body.replace(",", random.choice((",", ";", "\t"))).encode()


def odd_quotes(random: Random) -> Made:
    content = bytearray(valid(random, "csv"))
    for _ in range(random.choice((1, 3, 40))):
        content[random.randrange(len(content))] = 0x22
    bomb = b'prompt,response\n"' + b'a""' * random.choice((10, 1_000_000))
    return "csv", random.choice((bytes(content), bytes(content), bomb))


def line_ends(random: Random) -> Made:
    form = random.choice(FORMATS[:4])
    end = random.choice((b"\r", b"\r\n", b"\n\r", b"\r\r\n", "\u2028".encode(), b"\x0b", b"\0\n", b"\n\n\n"))
    return form, valid(random, form).replace(b"\n", end)


def archive(random: Random) -> bytes:
    plain = valid(random, "jsonl")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as whole:
        whole.writestr("rows.jsonl", plain)
    heads = (b"%PDF-1.7\n", b"\x7fELF", b"SQLite format 3\0", b"MZ\x90\0", b"\x89PNG\r\n\x1a\n")
    bomb = gzip.compress(b"\0" * 20_000_000)
    wholes = (gzip.compress(plain), bomb, packed.getvalue(), bz2.compress(plain), pickle.dumps([1]))
    return random.choice((*wholes, random.choice(heads) + plain, random.randbytes(5000)))


def many_columns(random: Random) -> Made:
    names = [f"column {i}" for i in range(random.choice((3000, 20_000)))]
    head, cells = ",".join(names), ",".join("1" * len(names))
    row = dict.fromkeys(names, "1") | {"prompt": "a", "response": "b"}
    return _one_of(
        random,
        lambda: ("csv", f"prompt,response,{head}\na,b,{cells}\n".encode()),
        lambda: ("csv", f"{head}\n{cells}\n".encode()),
        lambda: _rows(*[json.dumps(row)] * 5),
        lambda: _rows(*(json.dumps({name: "x", "prompt": "a", "response": "b"}) for name in names)),
        lambda: _parquet({name: ["a"] for name in [*names[:3000], "prompt", "response"]}),
    )


def another_format(random: Random) -> Made:
    form, other = random.sample(FORMATS, 2)
    return form, valid(random, other)


def odd_parquet(random: Random) -> Made:
    far = pyarrow.array([2**62, -(2**62)], pyarrow.timestamp(random.choice(("s", "ms", "us", "ns"))))
    nested: Any = ["a"]
    for _ in range(60):
        nested = [nested]
    nothing = pyarrow.array([], pyarrow.string())
    columns: dict[str, Any] = random.choice(
        (
            {"prompt": ["a", "b"], "response": far},
            {"prompt": ["a", "b"], "response": ["c", "d"], "when": far},
            {"prompt": [b"\xff", b"b"], "response": [b"c", b"d"]},
            {"prompt": [["a"], ["b"]], "response": ["c", "d"]},
            {"prompt": [None, None], "response": [None, None]},
            {"prompt": [nested], "response": [nested]},
            {"prompt": nothing, "response": nothing},
            {"prompt": pyarrow.array(["a", "b"]).dictionary_encode(), "response": pyarrow.array([1.5, float("nan")])},
            {"x": [1]},
        )
    )
    return _parquet(columns)


def parquet_bomb(random: Random) -> Made:
    """Small on the disk, large when read: one enormous value, one long text in every row, or many rows of a letter."""
    return _one_of(
        random,
        lambda: _parquet({"prompt": ["a"], "response": ["x" * 60_000_000]}, compression="zstd"),
        lambda: _parquet({"prompt": ["a"], "response": ["x" * 400_000_000]}, compression="zstd"),
        lambda: _parquet({name: _same(1_000, "y" * 100_000) for name in ("prompt", "response")}, compression="zstd"),
        lambda: _parquet({name: _same(500_000, "y") for name in ("prompt", "response")}, compression="zstd"),
    )


def _same(rows: int, text: str) -> Any:
    return pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * rows, pyarrow.int32()), [text])


KINDS: tuple[Callable[[Random], Made | bytes], ...] = (
    cut_off,
    bits_flipped,
    parquet_bits_flipped,
    wrong_encoding,
    bytes_that_are_no_text,
    half_a_pair,
    nested_bomb,
    gigantic_line,
    gigantic_number,
    doubles,
    mixed_types,
    empty,
    ragged_table,
    odd_quotes,
    line_ends,
    archive,
    many_columns,
    another_format,
    odd_parquet,
    parquet_bomb,
)
