"""A filter as chips that can be taken away, and what a menu adds to it."""

import pytest

from app.board.filter.error import FilterError
from app.board.filter.grammar import parse
from app.board.filter.terms import filter_terms, with_term, without


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", []),
        ("rank 16", ["rank", "16"]),
        ("lora.r in (8, 16) and (a or b) x", ["lora.r in (8, 16)", "(a or b)", "x"]),
        ("a or b", ["a or b"]),
        ("(a and b)", ["(a and b)"]),
        ("not (a  b) tags='x y'", ["not (a  b)", "tags='x y'"]),
    ],
)
def test_what_must_all_hold_stands_apart_as_it_was_typed(text: str, terms: list[str]) -> None:
    assert filter_terms(text) == terms


def test_each_can_be_taken_away() -> None:
    text = "rank 16 lora.r=8 and (a or b)"
    left = [
        "16 and lora.r=8 and (a or b)",
        "rank and lora.r=8 and (a or b)",
        "rank 16 and (a or b)",
        "rank 16 and lora.r=8",
    ]
    assert [without(text, place) for place in range(4)] == left
    assert without("a or b", 0) == ""


@pytest.mark.parametrize(
    ("text", "added", "whole"),
    [
        ("", ("lora.r", "=", "8"), "lora.r = 8"),
        ("rank", ("lora.r", "in", "8, 16"), "rank and lora.r in (8, 16)"),
        ("a or b", ("lora.r", "=", "8"), "(a or b) and lora.r = 8"),
        ("(a or b)", ("lora.r", "=", "8"), "(a or b) and lora.r = 8"),
        ("lora.r = 8", ("lora.r", "=", "8"), "lora.r = 8"),
        ("", ("train_seconds", "<", "90 min"), "train_seconds < 90 min"),
        ("", ("created_at", ">", "3 days ago"), "created_at > 3 days ago"),
        ("", ("name", "=", "a b"), 'name = "a b"'),
        ("", ("name", "=", "or"), 'name = "or"'),
        ("", ("name", "=", 'say "x" \\'), 'name = "say \\"x\\" \\\\"'),
        ("", ("notes", "=", "null"), "notes = null"),
    ],
)
def test_a_menu_adds_one_condition(text: str, added: tuple[str, str, str], whole: str) -> None:
    assert with_term(text, *added) == whole
    assert parse(whole)


@pytest.mark.parametrize(
    "added",
    [
        ("lora.r", "=", "8 or lora.r = 4"),
        ("lora.r", "=", ""),
        ("lora.r", "is", "8"),
        ("x or lora.r", "=", "8"),
        ("nothing", "=", "8"),
        ("lora.r", "=", "8 and more"),
        ("lora.r", "=", "8 more"),
        ("name", "in", ""),
    ],
)
def test_and_nothing_else(added: tuple[str, str, str]) -> None:
    with pytest.raises(FilterError):
        with_term("x", *added)
