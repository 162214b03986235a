"""The values of one comparison, read as its column has them."""

from dataclasses import dataclass, replace

from app.board.filter import literals
from app.board.filter.cursor import Cursor
from app.board.filter.kinds import Kind, kind
from app.board.filter.syntax import Operator, Value
from app.board.filter.tokens import Token
from app.board.run_columns import Column
from app.status import RunStatus

FLAGS = {"true": True, "false": False}
EXAMPLES: dict[Kind, str] = {"number": "8", "flag": "true", "mixed": "true", "time": "2026-01-31"}


@dataclass(frozen=True)
class Values:
    """Each method takes the tokens of what it is named after."""

    column: Column
    operator: Operator
    cursor: Cursor

    def all(self) -> tuple[Value, ...]:
        return self.listed() if self.operator in ("in", "not in") else (self.one(),)

    def listed(self) -> tuple[Value, ...]:
        opening = self.cursor.take()
        found = [self.one()]
        while self.cursor.next.is_sign(","):
            self.cursor.take()
            found.append(self.one())
        if self.cursor.next.kind == "end":
            raise opening.error("This list is not closed: put ) behind its last value")
        if not self.cursor.next.is_sign(")"):
            raise self.cursor.next.error("A comma stands between the values of a list")
        self.cursor.take()
        return tuple(found)

    def one(self) -> Value:
        token = self.cursor.take()
        if token.kind in ("sign", "end") or token.keyword in ("and", "or", "not", "in"):
            example = EXAMPLES.get(kind(self.column), '"text"')
            raise token.error(f"A value is missing here, like {example}")
        if token.keyword == "null":
            if self.operator in ("=", "!=", "in", "not in"):
                return None
            raise token.error("With null, use = or !=")
        return self._read(token, kind(self.column))

    def _read(self, token: Token, of: Kind) -> Value:
        if of == "number":
            return self._number(token)
        if of == "time":
            return self._time(token)
        if of in ("flag", "mixed") and token.text.lower() in FLAGS:
            return FLAGS[token.text.lower()]
        if of == "flag":
            raise token.error(f"{self.column.name} is true or false")
        if self.column.name == "status" and self.operator != "~" and token.text not in set(RunStatus):
            raise token.error(f"There is no status {token.text}: {', '.join(RunStatus)}")
        return token.text

    def _number(self, token: Token) -> Value:
        parts = literals.split_number(token.text)
        if parts is None:
            raise token.error(f"{self.column.name} is a number, and {token.text} is none")
        digits, unit = parts
        if not unit and self._factor(self.cursor.next):
            unit = self.cursor.take().text
            token = replace(token, end=self.cursor.last.end)
        times = literals.factor(unit, self.column.unit) if unit else 1
        if times is None:
            raise token.error(f"{unit} is no unit of {self.column.name}{self._units()}")
        value = literals.number(digits, times)
        if value is None:
            raise token.error("This number is too large")
        return value

    def _factor(self, unit: Token) -> float | None:
        return literals.factor(unit.text, self.column.unit) if unit.kind == "word" else None

    def _units(self) -> str:
        known = {"bytes": "B, kB, MB, GB or GiB", "s": "s, min, h or d"}.get(self.column.unit, self.column.unit)
        return f": it is in {known}" if known else ", which has none"

    def _time(self, token: Token) -> Value:
        """A day, a day and a time of it, or a number, a unit and `ago`."""
        following = self.cursor.next
        if following.kind == "word" and (exact := literals.period(f"{token.text} {following.text}")):
            self.cursor.take()
            return exact
        found = literals.period(token.text) or self._ago(token)
        if found is None:
            raise token.error("This is no time: write 2026-01-31, 2026-01-31 18:30 (UTC) or 3 days ago")
        return found

    def _ago(self, token: Token) -> Value:
        """`3 days ago` and `3d ago`; None for all else."""
        digits, unit = literals.split_number(token.text) or ("", "")
        words = [self.cursor.ahead(i).text for i in range(1 if unit else 2)]
        if not digits or words[-1].lower() != "ago":
            return None
        found = literals.ago(digits, unit or words[0])
        for _ in words:
            self.cursor.take()
        return found
