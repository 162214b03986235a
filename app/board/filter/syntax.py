"""What a filter says, as a tree. Every part knows from which to which character it stands."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from app.board.run_columns import Column

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "~", "in", "not in"]


@dataclass(frozen=True)
class Period:
    """A time as exactly as it was written: a day, a minute or a second, from `start` to before `end`."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class Ago:
    """A time that moves on: so long before the filter is used."""

    span: timedelta


# None is `null`.
Value = str | int | float | bool | Period | Ago | None


@dataclass(frozen=True)
class Part:
    start: int
    end: int


@dataclass(frozen=True)
class Mention(Part):
    """A word that the run's name, notes, tags or experiment have in them."""

    text: str


@dataclass(frozen=True)
class Comparison(Part):
    """With one value; `in` and `not in` with several."""

    column: Column
    operator: Operator
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Not(Part):
    of: "Node"


@dataclass(frozen=True)
class Every(Part):
    parts: tuple["Node", ...]


@dataclass(frozen=True)
class Either(Part):
    parts: tuple["Node", ...]


Node = Mention | Comparison | Not | Every | Either
