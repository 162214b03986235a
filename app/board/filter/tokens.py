"""A filter's text as tokens: words, quoted texts and signs, each with its place."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from app.board.filter.error import FilterError

KEYWORDS = frozenset({"and", "or", "not", "in", "null", "true", "false"})

# Of two that begin alike, the longer one first.
SIGNS = ("!=", "<=", ">=", "==", "=", "<", ">", "~", "(", ")", ",")
SIGN = re.compile("|".join(map(re.escape, SIGNS)))
WORD = re.compile(r"(?:(?!!=)[^\s()=<>~,])+")
# A phone's keyboard writes the curved ones.
CLOSING = {'"': '"', "'": "'", "“": "”", "‘": "’"}
ESCAPE = "\\"
IN_WORDS = {"&&": "and", "||": "or"}


@dataclass(frozen=True)
class Token:
    """`text` is what is meant: a quoted text without its quotes, `=` for `==`."""

    kind: Literal["word", "quoted", "sign", "end"]
    text: str
    start: int
    end: int

    @property
    def keyword(self) -> str | None:
        """In small letters; None where it is none. A quoted one is a text."""
        text = self.text.lower()
        return text if self.kind == "word" and text in KEYWORDS else None

    def is_sign(self, *texts: str) -> bool:
        return self.kind == "sign" and self.text in texts

    def error(self, message: str) -> FilterError:
        return FilterError(self.start, self.end - self.start, message)


def tokens(text: str) -> Iterator[Token]:
    """All of them, and one of kind `end` behind the last."""
    place = 0
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        token = _token(text, place)
        yield token
        place = token.end
    yield Token("end", "", len(text), len(text))


def _token(text: str, start: int) -> Token:
    if text[start] in CLOSING:
        return _quoted(text, start)
    if sign := SIGN.match(text, start):
        return Token("sign", "=" if sign[0] == "==" else sign[0], start, sign.end())
    word = WORD.match(text, start)
    assert word, "what begins neither a quote nor a sign is part of a word"
    if instead := IN_WORDS.get(word[0]):
        raise FilterError(start, 2, f"Write {instead} for {word[0]}")
    return Token("word", word[0], start, word.end())


def _quoted(text: str, start: int) -> Token:
    closing = CLOSING[text[start]]
    place, read = start + 1, ""
    while place < len(text) and text[place] != closing:
        if text[place] == ESCAPE and text[place + 1 : place + 2] in (closing, ESCAPE):
            place += 1
        read += text[place]
        place += 1
    if place == len(text):
        raise FilterError(start, len(text) - start, f"This quote is not closed: put {closing} where the text ends")
    return Token("quoted", read, start, place + 1)
