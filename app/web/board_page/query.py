"""What a leaderboard's address asks for, and the addresses that ask for something else: its filters and its heads."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from app.board.leaderboard import BEST_PERPLEXITY_FIRST
from app.board.run_columns import column, parse_sort
from app.board.run_filter import RunFilter, parse_filter
from app.errors import Invalid

CONFIGURATION = "configuration"


@dataclass(frozen=True)
class BoardQuery:
    experiment: str = ""
    status: str = ""
    filter: str = ""
    sort: str = BEST_PERPLEXITY_FIRST
    cursor: str = ""
    group: str = ""

    @classmethod
    def read(cls, params: Mapping[str, str]) -> "BoardQuery":
        known = {name: params[name].strip() for name in cls.__dataclass_fields__ if params.get(name, "").strip()}
        return cls(**known)

    @property
    def runs(self) -> RunFilter:
        return parse_filter(self.experiment, self.status, self.filter)

    @property
    def by_configuration(self) -> bool:
        """Whether runs that differ in nothing but their seed are one row."""
        if self.group not in ("", CONFIGURATION):
            raise Invalid.one("group", f"Rows are grouped by {CONFIGURATION} or not at all")
        return self.group == CONFIGURATION

    @property
    def narrows(self) -> bool:
        """Whether some runs are left out."""
        return bool(self.experiment or self.status or self.filter)

    @property
    def text(self) -> str:
        """As in the address, without what is as usual."""
        given = {name: getattr(self, name) for name in self.__dataclass_fields__}
        usual = BoardQuery()
        return urlencode({name: value for name, value in given.items() if value != getattr(usual, name)})

    def link(self, **changes: str) -> str:
        """The page with other filters; whatever is changed, it starts at the first row again."""
        text = replace(self, **({"cursor": ""} | changes)).text
        return f"/leaderboard?{text}" if text else "/leaderboard"

    def direction(self, name: str) -> str | None:
        """The `aria-sort` of a column."""
        if parse_sort(self.sort)[0].name != name:
            return None
        return "descending" if self.sort.startswith("-") else "ascending"

    def sort_link(self, name: str) -> str:
        """Best first, and the other way round where it is sorted so already."""
        best_first = column(name).best_first
        reverse = best_first.removeprefix("-") if best_first.startswith("-") else f"-{best_first}"
        return self.link(sort=reverse if self.sort == best_first else best_first)
