"""JSON from elsewhere: what cannot be kept is refused with its place."""

import json

import pytest

from app import ids, json_text
from app.db import MAX_ID


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ("a\ud800", ""),
        ({"tags": ["a", "\udfff"]}, "tags.1"),
        ({"a": {"b": {"c": "\ud800"}}}, "a.b.c"),
        ({"a": {"\ud800": 1}}, "a"),
        ([[["\ud800"]]], "0.0.0"),
    ],
)
def test_half_a_surrogate_pair_is_found_wherever_it_stands(value: object, place: str) -> None:
    assert json_text.unstorable(value) == place


@pytest.mark.parametrize("value", ["", "\N{GRINNING FACE}", {"a": [None, True, 1.5, {"b": "\0"}]}, 10**400])
def test_what_can_be_kept_passes(value: object) -> None:
    assert json_text.unstorable(value) is None


def test_depth_is_no_matter() -> None:
    value: object = "\ud800"
    for _ in range(100_000):
        value = [value]
    assert json_text.unstorable(value) is not None


@pytest.mark.parametrize(
    "text", ["NaN", "-Infinity", '{"a": 1e999}', '"\\ud800"', "[" * 100_000, "9" * 5000, '{"a": ', b"\xff\xfe\xff"]
)
def test_what_cannot_be_kept_is_refused_with_a_reason(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"\w+"):
        json_text.parse(text)


def test_the_rest_is_json() -> None:
    value = {"a": [1, 2.5, "\N{GRINNING FACE}", None]}
    assert json_text.parse(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("text", "number"),
    [("1", 1), ("007", 7), (str(MAX_ID), MAX_ID), (str(MAX_ID + 1), None), ("9" * 5000, None), ("", None), ("-1", None),
     ("1.0", None), ("\N{SUPERSCRIPT TWO}", None), ("\N{ARABIC-INDIC DIGIT THREE}", None), (" 1", None), ("1_0", None)],
)  # fmt: skip
def test_an_id_is_digits_that_the_database_can_hold(text: str, number: int | None) -> None:
    assert ids.parse(text) == number
