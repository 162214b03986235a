"""Values that programs stumble over: numbers that are none, texts that cannot be stored, forged cursors, bombs."""

import base64
import json
from random import Random
from typing import Any


def _cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


CURSORS = tuple(
    _cursor(text)
    for text in (
        '["id", 1, 99999999999999999999]',
        '["id", 99999999999999999999, 1]',
        '["id", "\\ud800", 1]',
        '["id", NaN, 1]',
        '["id", true, true]',
        '["eval/perplexity", "x", 1]',
        '["eval/perplexity", 1e999, 1]',
        '["name", "\\u0000", 1]',
        "[" * 700,
        "{}",
        '"abc"',
    )
)

TEXTS = (
    "",
    " ",
    "\0",
    "a\0b",
    "0",
    "-1",
    "1",
    "2",
    "9" * 19,
    "9" * 20,
    "9" * 5000,
    "1," + "9" * 5000,
    "\N{SUPERSCRIPT TWO}",
    "\N{ARABIC-INDIC DIGIT THREE}",
    "+5",
    "1_000",
    "1e999",
    "-1e999",
    "1e-999",
    "nan",
    "inf",
    "1.5",
    "true",
    "null",
    "[]",
    "{}",
    "[" * 5000,
    '{"a":' * 5000,
    '{"\\ud800": 1}',
    '{"perplexity": NaN}',
    '{"perplexity": 1e999}',
    '{"perplexity": ' + "9" * 400 + "}",
    '{"base_model": "\\ud800"}',
    '{"train_rows": ' + "9" * 400 + "}",
    '{"prompt": "\\ud800"}',
    '{"prompt": "' + "\N{GRINNING FACE}" * 20_000 + '"}',
    "\N{LATIN SMALL LETTER E WITH ACUTE}" * 200,
    "x" * 300,
    "x" * 70_000,
    "a " * 3000,
    "a/" * 300,
    "../../../../etc/passwd",
    "/etc/passwd",
    "..",
    "~root",
    "sample/../..",
    "%00",
    "%",
    "%_\\",
    ",",
    ";",
    "|",
    "1,2,3",
    "1;2",
    "a,b,,",
    "1e-4..1e-3 x3 log",
    "1..2 x999999999",
    "0..0 x0",
    "1..1e999 x3",
    "-1..1 x3 log",
    "x|lora.r=4|y\n|||\nlora.r=" + "9" * 500,
    "{{ instruction }}",
    "{{ instruction }}" * 1000,
    "{% for i in range(999999999) %}{{ instruction }}{% endfor %}",
    "{% if " + "(" * 3000 + " %}",
    "<script>alert(1)</script>",
    "a\r\nSet-Cookie: x=1",
    "\u202e\u200b\ufeff\ufffe",
    "\N{GRINNING FACE}",
    "name",
    "-name",
    "lora.r",
    "-eval/perplexity",
    "configuration",
    "delete for good",
    "import",
    *CURSORS,
)

# What JSON may say where a text, a number or a list is asked for.
JSON: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**63,
    10**300,
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    [],
    {},
    [[]],
    [None],
    {"low": 1, "high": 2, "n": 10**9},
    {"low": -(10**300), "high": 10**300, "n": 3},
    {"low": 1e-300, "high": 1e300, "n": 3, "scale": "log"},
    {"low": 1, "high": 2, "n": 3, "scale": []},
    {"\ud800": 1},
    {"lora.r": "\ud800"},
    {"lora.r": ["\ud800"]},
    ["\ud800"],
    "\ud800",
    [10**300],
    [1] * 3000,
    ["x" * 300] * 30,
    [{"name": "a", "set": {"lora.r": "\ud800"}}],
)


def text(random: Random) -> str:
    """One of TEXTS, or a mixture: mostly short, of any characters that an address or a form can carry."""
    if random.random() < 0.8:
        return random.choice(TEXTS)
    letters = (random.randrange(0x20), random.randrange(0x80), random.randrange(0xD800), 0x1F600)
    return "".join(chr(random.choice(letters)) for _ in range(random.choice((1, 5, 50, 500))))


def value(random: Random) -> Any:
    """For a JSON body."""
    return random.choice(JSON) if random.random() < 0.6 else text(random)


def broken(body: Any, random: Random) -> Any:
    """A copy with one part of it odd, at any depth."""
    if random.random() < 0.25 or not isinstance(body, dict | list) or not body:
        return value(random)
    if isinstance(body, list):
        place = random.randrange(len(body))
        return [broken(item, random) if i == place else item for i, item in enumerate(body)]
    if random.random() < 0.15:
        return {**body, text(random): value(random)}
    name = random.choice(sorted(body))
    return {**body, name: broken(body[name], random)}


def as_bytes(body: Any, random: Random) -> bytes:
    """As JSON, now and then cut short or with bytes that are no text."""
    whole = json.dumps(body).encode()
    match random.randrange(20):
        case 0:
            return whole[: random.randrange(len(whole))]
        case 1:
            at = random.randrange(len(whole))
            return whole[:at] + bytes([random.randrange(256)]) + whole[at + 1 :]
        case 2:
            return whole.replace(b'"', b'"\xed\xa0\x80', 1)
    return whole
