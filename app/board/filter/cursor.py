"""A place among a filter's tokens, which moves from left to right."""

from collections.abc import Sequence

from app.board.filter.tokens import Token


class Cursor:
    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._place = 0

    @property
    def next(self) -> Token:
        return self.ahead(0)

    @property
    def last(self) -> Token:
        """The token that was taken last."""
        return self._tokens[self._place - 1]

    def ahead(self, count: int) -> Token:
        """What comes `count` tokens after the next one; behind the end, the end."""
        return self._tokens[min(self._place + count, len(self._tokens) - 1)]

    def take(self) -> Token:
        token = self.next
        self._place = min(self._place + 1, len(self._tokens))
        return token
