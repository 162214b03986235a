"""A filter's tokens as a tree, or a FilterError that points at what is wrong."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from app.board.filter.comparing import Values
from app.board.filter.cursor import Cursor
from app.board.filter.error import FilterError
from app.board.filter.kinds import IN_WORDS, OPERATORS, kind
from app.board.filter.names import named
from app.board.filter.syntax import Comparison, Either, Every, Mention, Node, Not, Operator
from app.board.filter.tokens import Token, tokens
from app.board.run_columns import Column

# The database takes only so many conditions and so deep a tree; people need a small part of it.
MOST_TEXT = 2000
MOST_TERMS = 100
DEEPEST = 20

COMPARE: dict[str, Operator] = {"=": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">=", "~": "~"}


@lru_cache(maxsize=256)
def parse(text: str) -> Node | None:
    """None: it says nothing, and finds every run."""
    if len(text) > MOST_TEXT:
        raise FilterError(MOST_TEXT, 1, f"A filter has at most {MOST_TEXT:,} characters")
    read = list(tokens(text))
    if len(read) == 1:
        return None
    cursor = Cursor(read)
    found = _Parser(cursor).either()
    if (rest := cursor.next).kind != "end":
        raise rest.error(_out_of_place(rest))
    return found


class _Parser:
    """Each method takes the tokens of what it is named after."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._terms = 0
        self._depth = 0

    def either(self) -> Node:
        parts = [self._every()]
        while self._cursor.next.keyword == "or":
            self._cursor.take()
            parts.append(self._every())
        return parts[0] if len(parts) == 1 else Either(parts[0].start, parts[-1].end, tuple(parts))

    def _every(self) -> Node:
        parts = [self._one()]
        while not _ends(self._cursor.next):
            if self._cursor.next.keyword == "and":
                self._cursor.take()
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else Every(parts[0].start, parts[-1].end, tuple(parts))

    def _one(self) -> Node:
        if self._cursor.next.keyword == "not":
            return self._deeper(self._not)
        if self._cursor.next.is_sign("("):
            return self._deeper(self._bracket)
        self._terms += 1
        if self._terms > MOST_TERMS:
            raise self._cursor.next.error(f"A filter has at most {MOST_TERMS} conditions")
        return _comparison(self._cursor) if _compares(self._cursor) else _mention(self._cursor)

    def _deeper(self, read: Callable[[], Node]) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._cursor.next.error(f"Brackets and nots stand at most {DEEPEST} deep")
        found = read()
        self._depth -= 1
        return found

    def _not(self) -> Node:
        word = self._cursor.take()
        of = self._one()
        return Not(word.start, of.end, of)

    def _bracket(self) -> Node:
        opening = self._cursor.take()
        found = self.either()
        if self._cursor.next.kind == "end":
            raise opening.error("This bracket is not closed")
        if not self._cursor.next.is_sign(")"):
            raise self._cursor.next.error(_out_of_place(self._cursor.next))
        return replace(found, start=opening.start, end=self._cursor.take().end)


def _ends(token: Token) -> bool:
    """Whether no further condition of those that must all hold can begin here."""
    return token.kind == "end" or token.keyword == "or" or token.is_sign(")", ",")


def _compares(cursor: Cursor) -> bool:
    """Whether a comparison begins here. Without its list, `in` is a word to look for, as in `loss in notes`."""
    first, second, third, fourth = (cursor.ahead(i) for i in range(4))
    if first.kind in ("end", "sign"):
        return False
    if second.kind == "sign" and second.text in COMPARE:
        return True
    listed = second.keyword == "not" and third.keyword == "in" and fourth.is_sign("(")
    return listed or (second.keyword == "in" and third.is_sign("("))


def _mention(cursor: Cursor) -> Node:
    token = cursor.take()
    if token.kind in ("end", "sign") or token.keyword in ("and", "or", "null"):
        raise token.error(_out_of_place(token))
    return Mention(token.start, token.end, token.text)


def _comparison(cursor: Cursor) -> Node:
    name = cursor.take()
    if name.kind == "quoted":
        raise name.error('A column stands in front of the sign, without quotes, like name = "run 1"')
    column = named(name)
    sign = cursor.next
    operator = _operator(cursor)
    if operator not in OPERATORS[kind(column)]:
        raise replace(sign, end=cursor.last.end).error(_not_said_of(column, operator))
    values = Values(column, operator, cursor).all()
    return Comparison(name.start, cursor.last.end, column, operator, values)


def _operator(cursor: Cursor) -> Operator:
    token = cursor.take()
    if token.kind == "sign":
        return COMPARE[token.text]
    if token.keyword == "not":
        cursor.take()
        return "not in"
    return "in"


def _not_said_of(column: Column, operator: Operator) -> str:
    of = kind(column)
    return f"{column.name} is {IN_WORDS[of]}: compare it with {', '.join(OPERATORS[of])}, not with {operator}"


def _out_of_place(token: Token) -> str:
    if token.kind == "end":
        return "The filter breaks off here: a condition should follow, like lora.r = 8"
    if token.is_sign(")"):
        return "This bracket was not opened"
    if token.is_sign(","):
        return "Only in a list do commas stand between values, like lora.r in (8, 16); numbers have none"
    if token.keyword == "null":
        return "null stands behind = or !=, like notes = null"
    if token.kind == "sign":
        return f"A column stands in front of {token.text}, like lora.r {token.text} 8"
    return f'A condition stands on both sides of {token.keyword}; to look for the word, write "{token.text}"'
