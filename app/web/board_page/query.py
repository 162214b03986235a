"""What a table's address asks for, and the addresses that ask for something else: all of its state is in there."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from app import ids
from app.board.leaderboard import BEST_PERPLEXITY_FIRST
from app.board.run_columns import BEST, Aggregate, Column, column, parse_columns, parse_sort
from app.board.run_filter import RunFilter, parse_filter
from app.errors import Invalid
from app.web.board_page import chooser

CONFIGURATION = "configuration"
PATH = "/leaderboard"


@dataclass(frozen=True)
class BoardQuery:
    experiment: str = ""
    status: str = ""
    filter: str = ""
    sort: str = BEST_PERPLEXITY_FIRST
    cursor: str = ""
    group: str = ""
    columns: str = ""
    baseline: str = ""

    @classmethod
    def read(cls, params: Mapping[str, str]) -> "BoardQuery":
        known = {name: params[name].strip() for name in cls.__dataclass_fields__ if params.get(name, "").strip()}
        return cls(**known)

    @classmethod
    def of(cls, params: QueryParams) -> "BoardQuery":
        """A form sends a name for every column that is ticked; they are put in their usual order."""
        query = cls.read(params)
        ticked = params.getlist("columns")
        return replace(query, columns=chooser.canonical(ticked)) if len(ticked) > 1 else query

    @property
    def runs(self) -> RunFilter:
        return parse_filter(self.experiment, self.status, self.filter)

    @property
    def shown(self) -> tuple[Column, ...]:
        """The columns; the name comes first, whatever else is asked for."""
        name = column("name")
        return name, *(found for found in parse_columns(self.columns) if found != name)

    @property
    def pinned(self) -> int | None:
        """The run that all others are seen against."""
        if self.baseline and (found := ids.parse(self.baseline)) is None:
            raise Invalid.one("baseline", "A run is pinned by its id, a number")
        return found if self.baseline else None

    @property
    def by_configuration(self) -> bool:
        """Whether runs that differ in nothing but their seed are one row."""
        if self.group not in ("", CONFIGURATION):
            raise Invalid.one("group", f"Rows are grouped by {CONFIGURATION} or not at all")
        return self.group == CONFIGURATION

    @property
    def is_best_first(self) -> bool:
        """Whether the rows begin with the best runs of the experiment that was picked."""
        return not set(self.state()) - {"experiment", "columns", "baseline"}

    @property
    def text(self) -> str:
        """As in the address, without what is as usual."""
        return urlencode(self.state())

    def state(self, *but: str) -> dict[str, str]:
        """What a form has to send along, besides the fields that it changes itself."""
        usual = BoardQuery()
        given = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in but}
        return {name: value for name, value in given.items() if value != getattr(usual, name)}

    def link(self, **changes: str) -> str:
        """The page with other filters; whatever is changed, it starts at the first row again."""
        text = replace(self, **({"cursor": ""} | changes)).text
        return f"{PATH}?{text}" if text else PATH

    @property
    def csv_link(self) -> str:
        text = replace(self, cursor="").text
        return f"{PATH}.csv?{text}" if text else f"{PATH}.csv"

    @property
    def aggregate(self) -> str:
        """Whether results are as they were last or at their best; `last and best` where some are this and some that."""
        found = {shown.aggregate for shown in self.shown if shown.kind == "metric" and shown.direction}
        return " and ".join(sorted(found, reverse=True)) if len(found) > 1 else BEST if BEST in found else "last"

    def values_link(self, aggregate: Aggregate) -> str:
        """The page with all results as they were last, or at their best; it is sorted by the same one."""
        columns = chooser.canonical([chooser.taken(shown, aggregate).name for shown in self.shown])
        sort = "-" * self.sort.startswith("-") + chooser.taken(self.by, aggregate).name
        return self.link(columns=columns, sort=sort)

    @property
    def by(self) -> Column:
        """The column that the rows are sorted by, which may not be shown."""
        return parse_sort(self.sort)[0]

    def direction(self, name: str) -> str | None:
        """The `aria-sort` of a column."""
        if self.by.name != name:
            return None
        return "descending" if self.sort.startswith("-") else "ascending"

    def sort_link(self, name: str) -> str:
        """Best first, and the other way round where it is sorted so already."""
        best_first = column(name).best_first
        reverse = best_first.removeprefix("-") if best_first.startswith("-") else f"-{best_first}"
        return self.link(sort=reverse if self.sort == best_first else best_first)
