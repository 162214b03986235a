"""A filter as the conditions that must all hold, each a text of its own: for chips to take away and menus to add to."""

from itertools import pairwise

from app.board.filter.error import FilterError
from app.board.filter.grammar import parse
from app.board.filter.syntax import Comparison, Either, Every, Mention, Node
from app.board.filter.tokens import CLOSING, ESCAPE, WORD

MEANT_AS_WORDS = ("and", "or", "not", "in")


def filter_terms(text: str) -> list[str]:
    """As they were typed, in order; raises FilterError."""
    return [text[node.start : node.end] for node in _terms(text)]


def without(text: str, place: int) -> str:
    """The filter less its condition number `place`, counted from 0."""
    kept = [node for number, node in enumerate(_terms(text)) if number != place]
    joined = "".join(
        text[node.start : node.end] + (" " if isinstance(node, Mention) and isinstance(after, Mention) else " and ")
        for node, after in pairwise(kept)
    )
    return joined + text[kept[-1].start : kept[-1].end] if kept else ""


def with_term(text: str, column: str, operator: str, value: str) -> str:
    """The filter and one more condition; `value` as it is typed in a field of its own, for `in` with commas."""
    term = f"{column.strip()} {operator} {_written(operator, value)}".rstrip()
    if not isinstance(parse(term), Comparison):
        raise FilterError(0, len(term), f"This is not one comparison: {term}")
    if term in filter_terms(text):
        return text
    said = parse(text)
    before = f"({text.strip()})" if isinstance(said, Either) and not _in_brackets(said) else text.strip()
    whole = f"{before} and {term}" if before else term
    parse(whole)
    return whole


def _terms(text: str) -> tuple[Node, ...]:
    said = parse(text)
    if said is None:
        return ()
    return said.parts if isinstance(said, Every) and not _in_brackets(said) else (said,)


def _in_brackets(node: Every | Either) -> bool:
    return node.start < node.parts[0].start


def _written(operator: str, value: str) -> str:
    if operator in ("in", "not in"):
        return f"({', '.join(_quoted(part.strip()) for part in value.split(',') if part.strip())})"
    return _quoted(value.strip())


def _quoted(value: str) -> str:
    """In quotes where it would not be read as the one value that it is: `3 days ago` needs none."""
    words = value.split()
    plain = all(WORD.fullmatch(word) and word.lower() not in MEANT_AS_WORDS for word in words)
    if plain and not value.startswith(tuple(CLOSING)) and (len(words) < 2 or value[0].isdigit()):
        return value
    return '"' + value.replace(ESCAPE, ESCAPE * 2).replace('"', f'{ESCAPE}"') + '"'
