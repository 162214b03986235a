"""What is worth knowing of a data set before training on it, and the sentences that warn of it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.config_sections import DataConfig
from app.data import duplicates, leaks, row_keys
from app.data.dataset_import import near_duplicates
from app.data.dataset_import.near_duplicates import NearDuplicates
from app.data.dataset_import.store import MARKS_FILE, PROMPTS_FILE, Tally
from app.data.duplicates import Duplicates
from app.data.row_keys import KEY
from app.data.split import LEAK_CHARACTERS, split

DEFAULT = DataConfig(dataset=1)  # whichever data set: the split that a run has unless told otherwise
BINS = 20

# Distinct keys are counted in parts, so that memory does not grow with the rows.
ROWS_PER_PART = 500_000

# Of more rows than this share nobody can say that their responses are cut off.
MOST_UNFINISHED = 0.2

# Fewer held-out rows than this give intervals too wide to tell most settings apart.
FEW_HELD_OUT = 30


def compute(folder: Path, tally: Tally) -> dict[str, Any]:
    """The statistics of a data set whose files were just written to `folder`."""
    keys = row_keys.read(folder)
    marks = (folder / MARKS_FILE).read_bytes()
    sides = split(keys.rows(), seed=DEFAULT.split_seed, eval_fraction=DEFAULT.eval_fraction)
    found = leaks.measure(folder, DEFAULT)
    near = near_duplicates.find(folder / PROMPTS_FILE, sides.train, sides.held_out)
    inside = near_duplicates.find_inside(folder / PROMPTS_FILE, sides.train)
    _list_duplicates(folder, marks, near.pairs, inside.pairs)
    return {
        "train_rows": found.train,
        "eval_rows": found.held_out,
        "prompt_characters": lengths(tally.prompt_lengths),
        "response_characters": lengths(tally.response_lengths),
        "with_input": tally.with_input,
        "conversations": tally.conversations,
        "turns": lengths(tally.turns) if tally.turns else None,
        "groups": _distinct(keys.raw, 0) if tally.grouped else None,
        "ungrouped_rows": tally.rows - tally.grouped if tally.grouped else 0,
        "duplicate_prompts": tally.rows - _distinct(marks, 0),
        "duplicate_pairs": tally.rows - _distinct(marks, KEY),
        "leakage": {"rows": found.leaked, "example": found.example, "characters": LEAK_CHARACTERS},
        "near_duplicates": {**_counts(near), "threshold": near_duplicates.THRESHOLD},
        "near_duplicates_inside": _counts(inside),
        "unfinished_responses": unfinished(tally),
    }


def _counts(found: NearDuplicates) -> dict[str, Any]:
    return {name: value for name, value in asdict(found).items() if name != "pairs"}


def _list_duplicates(folder: Path, marks: bytes, across: list[tuple[int, int]], inside: list[tuple[int, int]]) -> None:
    """Near ones only where they are not the same, which is listed already."""
    nearly = [pair for pair in inside if not duplicates.same_prompt(marks, *pair)]
    duplicates.write(folder, Duplicates(duplicates.find_same(marks), across, nearly))


def unfinished(tally: Tally) -> int | None:
    """Responses that seem cut off; None where so many do not end a sentence that it is how they are written."""
    return tally.unfinished if tally.unfinished <= MOST_UNFINISHED * tally.rows else None


def lengths(counts: Counter[int], *, round_bins: bool = False) -> dict[str, Any]:
    """Exact quantiles, and a histogram whose last bin also holds all that is longer than 99 % of the rows."""
    longest, total = max(counts), counts.total()
    width = max(1, -(-(_quantile(counts, 0.99) + 1) // BINS))
    width = _rounded(width) if round_bins else width
    bins: Counter[int] = Counter()
    for length, rows in counts.items():
        bins[min(length // width, BINS - 1)] += rows
    last = max(bins)
    return {
        "min": min(counts),
        "median": _quantile(counts, 0.5),
        "mean": sum(length * rows for length, rows in counts.items()) / total,
        "p95": _quantile(counts, 0.95),
        "max": longest,
        "histogram": [
            {"from": i * width, "to": longest if i == last else (i + 1) * width - 1, "rows": bins[i]}
            for i in range(last + 1)
        ],
    }


def _rounded(width: int) -> int:
    """The next of 1, 2, 4, 5, 10, 20, 40, 50, 100, ...: people read lengths along the axis."""
    power = int("1".ljust(len(str(width)), "0"))
    return next(step * power for step in (1, 2, 4, 5, 10) if step * power >= width)


def _quantile(counts: Counter[int], share: float) -> int:
    """The smallest length that at least `share` of the rows do not exceed."""
    needed, seen = share * counts.total(), 0
    for length in sorted(counts):
        seen += counts[length]
        if seen >= needed:
            return length
    raise ValueError("there are no rows")


def _distinct(raw: bytes, offset: int) -> int:
    """Different keys at an offset of the 32 bytes that each row has."""
    parts = 1 + len(raw) // (2 * KEY * ROWS_PER_PART)
    starts = range(offset, len(raw), 2 * KEY)
    return sum(len({raw[at : at + KEY] for at in starts if raw[at] % parts == part}) for part in range(parts))


def warnings(statistics: dict[str, Any]) -> Iterator[str]:
    """What a person should know before trusting a result on this data set."""
    held_out = statistics["eval_rows"]
    if not held_out or not statistics["train_rows"]:
        yield "The default split leaves a side without rows: a run needs another held-out share, or more rows"
    elif held_out < FEW_HELD_OUT:
        yield f"Held out by default: only {_rows(held_out)}; results will be noisy"
    if statistics["duplicate_pairs"]:
        yield f"Same prompt and response as an earlier row: {_rows(statistics['duplicate_pairs'])}"
    if statistics["leakage"]["rows"]:
        yield (
            f"Held out by default with a response that is also trained on: {_rows(statistics['leakage']['rows'])}; "
            "a run is refused unless it allows leakage"
        )
    if statistics.get("unfinished_responses"):
        yield f"Response that breaks off in the middle of a sentence: {_rows(statistics['unfinished_responses'])}"
    if sentence := near_duplicates_warning(statistics):
        yield sentence
    if statistics["ungrouped_rows"]:
        yield f"Without a group: {_rows(statistics['ungrouped_rows'])}, whose side of the split follows their prompt"


def near_duplicates_warning(statistics: dict[str, Any]) -> str | None:
    """Of the default split."""
    near = statistics.get("near_duplicates")
    if not near or not near["rows"]:
        return None
    return (
        f"{near['rows']} of {near['checked']} held-out prompts nearly repeat a training prompt (they share "
        f"{near['threshold'] * 100:.0f} % of their words or more): results may be too good"
        + ("" if statistics["groups"] else "; a group column keeps such rows together")
    )


def is_default_split(data: DataConfig) -> bool:
    return (data.split_seed, data.eval_fraction) == (DEFAULT.split_seed, DEFAULT.eval_fraction)


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number:,} rows"
