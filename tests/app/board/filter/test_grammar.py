"""How a filter is read: what belongs together, and the place and the sentence of everything that is wrong."""

import pytest

from app.board.filter.error import FilterError
from app.board.filter.grammar import DEEPEST, MOST_TERMS, MOST_TEXT, parse
from app.board.filter.syntax import Comparison, Either, Every, Mention, Node, Not


def outline(node: Node | None) -> object:
    """The tree without its places, `column operator value` as a text."""
    match node:
        case Mention():
            return node.text
        case Comparison():
            return f"{node.column.name} {node.operator} {', '.join(map(str, node.values))}"
        case Not():
            return ("not", outline(node.of))
        case Every():
            return ("and", *map(outline, node.parts))
        case Either():
            return ("or", *map(outline, node.parts))
    return None


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", None),
        ("   ", None),
        ("rank 16", ("and", "rank", "16")),
        ("lora.r = 8", "lora.r = 8"),
        ("lora.r=8", "lora.r = 8"),
        ("lora.r == 8", "lora.r = 8"),
        ("a or b and c", ("or", "a", ("and", "b", "c"))),
        ("(a or b) and c", ("and", ("or", "a", "b"), "c")),
        ("a OR b AND NOT c", ("or", "a", ("and", "b", ("not", "c")))),
        ("not a b", ("and", ("not", "a"), "b")),
        ("lora.r in (8, 16)", "lora.r in 8, 16"),
        ("lora.r not in (8)", "lora.r not in 8"),
        ("notes = null", "notes = None"),
        ("lora.use_dora = true", "lora.use_dora = True"),
        ("training.gradient_checkpointing = auto", "training.gradient_checkpointing = auto"),
        ("training.learning_rate >= 1e-4", "training.learning_rate >= 0.0001"),
        ("bleu > .5", "eval/bleu > 0.5"),
        ("tokens_per_second > 1000", "tokens_per_second > 1000"),
        ("perplexity:best < 20", "eval/perplexity:best < 20"),
        ("eval/loss > −1", "eval/loss > -1"),
        ('name = "it\'s \\"it\\""', 'name = it\'s "it"'),
        ("name = 'run 1'", "name = run 1"),
        ("tags = “keep”", "tags = keep"),
        ("peak_memory_bytes < 4.2 GB", "peak_memory_bytes < 4200000000"),
        ("peak_memory_bytes < 4GiB", "peak_memory_bytes < 4294967296"),
        ("train_seconds < 90 min rank", ("and", "train_seconds < 5400", "rank")),
        ("data.max_length = 512 tokens", "data.max_length = 512"),
        ("loss in notes", ("and", "loss", "in", "notes")),
        ('"and" x"y', ("and", "and", 'x"y')),
        (
            'lora.r in (8, 16) and (eval/perplexity < 20 or tags = "keep")',
            ("and", "lora.r in 8, 16", ("or", "eval/perplexity < 20", "tags = keep")),
        ),
    ],
)
def test_a_filter_means(text: str, meant: object) -> None:
    assert outline(parse(text)) == meant


@pytest.mark.parametrize(
    ("text", "marks", "sentence"),
    [
        ("lora.rr = 8", "^^^^^^^    ", "There is no column lora.rr: did you mean lora.r?"),
        ("x and r = 8", "      ^    ", "There is no column r: did you mean lora.r?"),
        ("learning_rate < 1", "^^^^^^^^^^^^^    ", "write training.learning_rate or train/learning_rate"),
        ("train/grad_norm:best < 1", "^^^^^^^^^^^^^^^^^^^^    ", "train/grad_norm has no best value"),
        ("bleu:mean < 1", "^^^^^^^^^    ", "there is no mean"),
        ("lora.r =", "        ^", "A value is missing here"),
        ("lora.r = and x", "         ^^^  ", "A value is missing here"),
        ("lora.r = many", "         ^^^^", "lora.r is a number, and many is none"),
        ("lora.r = 1,000", "          ^   ", "numbers have none"),
        ("lora.r = 8 or", "             ^", "breaks off here"),
        ("lora.r = 8 GB", None, None),
        ("lora.r = 8GB", "         ^^^", "GB is no unit of lora.r"),
        ("train_seconds < 4GB", "                ^^^", "it is in s, min, h or d"),
        ("lora.r = 1e999", "         ^^^^^", "too large"),
        ("lora.r ~ 8", "       ^  ", "not with ~"),
        ("name < x", "     ^  ", "name is text"),
        ("created_at not in (2026-01-31)", "           ^^^^^^           ", "created_at is a time"),
        ("created_at > soon", "             ^^^^", "This is no time"),
        ("lora.use_dora = yes", "                ^^^", "true or false"),
        ("status = done", "         ^^^^", "queued, running, completed, failed, cancelled"),
        ("lora.r < null", "         ^^^^", "With null, use = or !="),
        ("null", "^^^^", "null stands behind"),
        ("(a", "^ ", "This bracket is not closed"),
        ("(a or (b)", "^        ", "This bracket is not closed"),
        ("a)", " ^", "This bracket was not opened"),
        ("lora.r in (8, 16", "          ^     ", "This list is not closed"),
        ("lora.r in (8 16)", "             ^^ ", "A comma stands between"),
        ("lora.r in ()", "           ^", "A value is missing here"),
        ('name = "x', "       ^^", "This quote is not closed"),
        ('"name" = x', "^^^^^^    ", "without quotes"),
        ("= 8", "^  ", "A column stands in front of ="),
        ("or a", "^^  ", 'write "or"'),
        ("a && b", "  ^^  ", "Write and for &&"),
        ("not", "   ^", "breaks off here"),
    ],
)
def test_an_error_points_at_what_is_wrong(text: str, marks: str | None, sentence: str | None) -> None:
    if marks is None or sentence is None:
        assert parse(text), "a word that is no unit of the column is a word to look for"
        return
    with pytest.raises(FilterError) as raised:
        parse(text)
    error = raised.value
    assert " " * error.position + "^" * error.length == marks.rstrip()
    assert sentence in error.message
    assert [(found.field, found.message) for found in error.errors] == [
        ("filter", f"{error.message} (character {error.position + 1})")
    ]


@pytest.mark.parametrize(
    "text",
    ["(" * 5000, "not " * 400, "(" * DEEPEST + "not x" + ")" * DEEPEST, "a " * (MOST_TERMS + 1), "x" * (MOST_TEXT + 1)],
)
def test_what_is_too_long_or_too_deep_is_said_so(text: str) -> None:
    with pytest.raises(FilterError, match="at most"):
        parse(text)


def test_what_is_just_within_the_bounds_is_read() -> None:
    assert parse("(" * DEEPEST + "x" + ")" * DEEPEST)
    assert parse("a " * MOST_TERMS)
    assert parse("x" * MOST_TEXT)
