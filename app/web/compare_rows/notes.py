"""What a reader has to know before trusting the rows: who is left out, and who was asked something else."""

from collections.abc import Iterator, Mapping

from app.compare.names import listed
from app.compare.row_table import RowTable
from app.compare.sides import Side
from app.web.numbers import number

# More names than these are a number.
MOST_NAMED = 4


def notes(table: RowTable, labels: Mapping[str, str], score: str) -> Iterator[str]:
    """Sentences, the gravest first."""
    sides = table.sides
    for out in sides.left_out[:MOST_NAMED]:
        yield f"{out.run.name} (#{out.run.id}) is left out: {out.reason}."
    if (more := len(sides.left_out) - MOST_NAMED) > 0:
        yield f"{more} more runs without answers are left out."
    if others := [side for side in sides.tuned if not table.answered(side)]:
        yield f"Not one of these rows was asked of {_named(others, labels)}: held out there were others."
    apart = [side for side in sides.tuned if side.before and not side.compares(table.score) and side not in others]
    if apart:
        yield (
            f"{score} of {_named(apart, labels)} is not set against {_against(table, labels)}: what was asked was "
            "another (held-out rows, limits or tokens), so a difference would mean nothing."
        )
    if cut := [side for side in sides.every if not side.answers.is_whole]:
        yield f"Of long evaluations only the first {number(cut[0].answers.file.most_rows)} rows are looked at."


def _named(found: list[Side], labels: Mapping[str, str]) -> str:
    return listed([labels[side.name] for side in found]) if len(found) <= MOST_NAMED else f"{len(found)} runs"


def _against(table: RowTable, labels: Mapping[str, str]) -> str:
    return labels[table.sides.baseline.name] if table.sides.baseline else "its base model"
