"""What a comparison's address asks for, and the addresses that ask for something else."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from app.compare.chosen import Chosen


@dataclass(frozen=True)
class CompareQuery:
    """`all` shows every setting and not only those that differ."""

    runs: tuple[int, ...]
    baseline: int
    all: bool = False

    @classmethod
    def of(cls, chosen: Chosen, *, all: bool = False) -> "CompareQuery":
        return cls(tuple(chosen.ids), chosen.ids[0], all)

    @property
    def text(self) -> str:
        """As in the address; commas stay readable."""
        every = {"all": "1"} if self.all else {}
        return urlencode({"runs": ",".join(map(str, self.runs)), "baseline": self.baseline, **every}, safe=",")

    @property
    def link(self) -> str:
        return f"/compare?{self.text}"

    @property
    def rows_link(self) -> str:
        """Their answers, row by row."""
        return f"/compare/rows?{replace(self, all=False).text}"

    def with_baseline(self, run_id: int) -> str:
        return replace(self, baseline=run_id).link

    def showing(self, *, all: bool) -> str:
        return replace(self, all=all).link

    def without(self, run_id: int) -> str:
        """A comparison without the baseline chooses another one."""
        left = tuple(run for run in self.runs if run != run_id)
        return replace(self, runs=left, baseline=self.baseline if self.baseline != run_id else left[0]).link

    def adding(self, run_id: int) -> str:
        return replace(self, runs=(*self.runs, run_id)).link

    def only(self, run_ids: Sequence[int]) -> str:
        """A few of them, set against the first."""
        return replace(self, runs=tuple(run_ids), baseline=run_ids[0]).link
