"""What the address of the rows asks for, and the addresses that ask for something else."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from urllib.parse import urlencode

from sqlmodel import Session

from app import ids
from app.compare import sides, word_diff
from app.compare.chosen import choose
from app.compare.row_query import RowQuery
from app.compare.row_table import RowTable
from app.compare.rows import SCORES
from app.errors import Invalid
from app.settings import Settings

PATH = "/compare/rows"


@dataclass(frozen=True)
class RowsAddress:
    """As typed; `baseline` is a run's id or `base`, each run's own base model; `row` asks for one row alone."""

    runs: tuple[int, ...]
    baseline: str = ""
    score: str = SCORES[0].short
    diff: str = word_diff.DIFFS[0]
    sort: str = RowQuery.sort
    only: str = ""
    of: str = ""
    find: str = ""
    cursor: str = ""
    row: str = ""

    @classmethod
    def read(cls, runs: tuple[int, ...], params: Mapping[str, str]) -> "RowsAddress":
        names = [field.name for field in fields(cls) if field.name != "runs"]
        return cls(runs, **{name: params[name].strip() for name in names if params.get(name, "").strip()})

    @property
    def against_base(self) -> bool:
        return self.baseline == sides.BASE

    @property
    def marks(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name.strip() for name in self.only.split(",") if name.strip()))

    @property
    def query(self) -> RowQuery:
        return RowQuery(self.sort, self.marks, self.of, self.find)

    @property
    def narrows(self) -> bool:
        return bool(self.only or self.find)

    @property
    def parameters(self) -> dict[str, str]:
        """As in the address, without what is as usual."""
        usual = RowsAddress(())
        changed = {name: value for name, value in self._texts.items() if value != getattr(usual, name)}
        return {"runs": ",".join(map(str, self.runs))} | changed

    @property
    def _texts(self) -> dict[str, str]:
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "runs"}

    def link(self, **changes: str) -> str:
        """The page with something else; whatever is changed, it starts at the first row again."""
        asked = RowsAddress(self.runs, **(self._texts | {"cursor": "", "row": ""} | changes))
        return f"{PATH}?{urlencode(asked.parameters, safe=',')}"

    def hidden(self) -> dict[str, str]:
        """What a search keeps as it is."""
        return {name: value for name, value in self.parameters.items() if name not in ("find", "cursor", "row")}

    @property
    def comparison(self) -> str:
        """The page that these rows belong to: the comparison, or the run where there is only one."""
        if len(self.runs) == 1:
            return f"/runs/{self.runs[0]}"
        baseline = "" if self.against_base or not self.baseline else f"&baseline={self.baseline}"
        return f"/compare?runs={','.join(map(str, self.runs))}{baseline}"

    def toggled(self, mark: str, of: str = "") -> str:
        """With a filter more or less, of all runs or of one side."""
        if of == self.of and mark in self.marks:
            left = ",".join(name for name in self.marks if name != mark)
            return self.link(only=left, of=self.of if left else "")
        kept = self.marks if of == self.of else ()
        return self.link(only=",".join((*kept, mark)), of=of)

    def find_rows(self, session: Session, settings: Settings) -> RowTable:
        """The runs and their rows; whatever is not as it may be is a 422 that names it."""
        self._check()
        chosen = choose(session, self.runs, ids.parse(self.baseline), fewest=1)
        shown = sides.build(settings, chosen, against_base=self.against_base)
        return RowTable.of(shown, self.score)

    def _check(self) -> None:
        if self.score not in (known := [score.short for score in SCORES]):
            raise Invalid.one("score", f"One of {', '.join(known)}: a row alone has no other")
        if self.diff not in word_diff.DIFFS:
            raise Invalid.one("diff", f"One of {', '.join(word_diff.DIFFS)}")
        if self.baseline and not self.against_base and ids.parse(self.baseline) is None:
            raise Invalid.one("baseline", f"The id of a run, or {sides.BASE} for each run's own base model")
