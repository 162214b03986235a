"""Tables of finished runs as people keep them: CSV, JSON or Markdown, with `~45 min` and `~4.2 GB` in the cells.

Pure: text in, one StatedRun a line out. Only what was stated is there; an empty cell or `-` states nothing.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app import json_text
from app.errors import FieldError, Invalid
from app.metrics import COMPARED
from app.run_config import LABELS, fields

MAX_RUNS = 1000
LARGEST = 1e18  # a larger number is a slip, and the database cannot sort by it
MEDIA = {"csv": "csv", "tsv": "csv", "json": "json", "md": "md", "markdown": "md"}
NOTHING = frozenset({"", "-", "–", "—", "n/a", "na", "none", "null", "?", "nan"})
SECONDS = {"s": 1.0, "sec": 1.0, "second": 1.0, "m": 60.0, "min": 60.0, "minute": 60.0, "h": 3600.0, "hr": 3600.0,
           "hour": 3600.0, "d": 86400.0, "day": 86400.0}  # fmt: skip
BYTES = {"b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30}

# What a column may be called besides its label and its dotted name.
SYNONYMS = {
    "name": ("experiment", "run", "name", "configuration", "exp"),
    "notes": ("notes", "note", "remarks", "comment", "comments", "observation", "observations"),
    "training.learning_rate": ("lr",),
    "training.per_device_train_batch_size": ("batch", "bs"),
    "training.num_train_epochs": ("epoch", "num epochs"),
    "training.gradient_accumulation_steps": ("gradient accumulation", "grad accum", "accumulation steps"),
    "lora.r": ("r", "rank", "lora rank"),
    "lora.lora_alpha": ("alpha",),
    "lora.lora_dropout": ("dropout",),
    "quantization.method": ("quantization", "quantisation", "precision"),
    "perplexity": ("ppl", "eval perplexity"),
    "rouge_l": ("rougel", "rouge l f1"),
    "train_seconds": ("training time", "train time", "time", "duration"),
    "peak_memory_bytes": ("gpu memory", "memory", "peak memory", "peak gpu memory", "vram", "gpu mem"),
    "mean_memory_bytes": ("mean memory", "average memory", "avg memory", "mean gpu memory", "average gpu memory"),
}
METHODS = {"4 bit": "nf4", "4bit": "nf4", "8 bit": "int8", "8bit": "int8", "16 bit": "none", "no": "none",
           "without": "none", "full precision": "none"}  # fmt: skip


@dataclass(frozen=True)
class StatedRun:
    """One line: settings by dotted name, metrics and resources by their short names, in base units."""

    name: str
    notes: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    resources: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class StatedTable:
    """The runs, what each column was taken for (None: left out), and what was left out, in words."""

    runs: list[StatedRun]
    columns: dict[str, str | None]
    warnings: list[str]


def media_of(filename: str, text: str) -> str:
    """csv, json or md: by the file's name, else by how the text begins."""
    ending = filename.rpartition(".")[2].casefold()
    if ending in MEDIA:
        return MEDIA[ending]
    begin = text.lstrip("\ufeff \t\r\n")[:1]
    if begin in ("[", "{"):
        return "json"
    return "md" if any(line.lstrip().startswith("|") for line in text.splitlines()) else "csv"


def read(text: str, media: str, columns: Mapping[str, str | None] | None = None) -> StatedTable:
    """`media` is csv, json or md; `columns` says what a column is where its name does not (None: leave it out).

    Raises Invalid on `file` with line and reason, or on `columns`.
    """
    head, lines = {"csv": _csv, "json": _json, "md": _markdown}[media](text)
    stated = _stated(columns or {}, head)
    return _table({column: stated.get(column, _target(column)) for column in head}, lines)


def _stated(columns: Mapping[str, str | None], head: Sequence[str]) -> dict[str, str | None]:
    unknown = [FieldError("columns", f"the table has no column {name!r}") for name in columns if name not in head]
    unknown += [
        FieldError("columns", f"{name!r} cannot be {target!r}: there is no such setting, metric or cost")
        for name, target in columns.items()
        if target is not None and target not in TARGETS
    ]
    if unknown:
        raise Invalid(unknown)
    return dict(columns)


def _table(columns: dict[str, str | None], lines: list[list[str]]) -> StatedTable:
    head = list(columns)
    if "perplexity" not in columns.values() and not {"bleu", "rouge_l"} & set(columns.values()):
        raise Invalid.one("file", f"no column is a result (perplexity, BLEU, ROUGE-L); found: {', '.join(head)}")
    if len(lines) > MAX_RUNS:
        raise Invalid.one("file", f"{len(lines)} lines; at most {MAX_RUNS} runs are imported at once")
    twice = {t for t in columns.values() if t and list(columns.values()).count(t) > 1}
    if twice:
        raise Invalid.one("file", f"two columns say the same: {', '.join(sorted(twice))}")
    runs = _runs(columns, lines)
    left_out = [column for column, target in columns.items() if target is None]
    return StatedTable(runs, columns, [f"column {column!r} is not known and was left out" for column in left_out])


def _runs(columns: dict[str, str | None], lines: list[list[str]]) -> list[StatedRun]:
    errors: list[FieldError] = []
    runs = []
    for number, line in enumerate(lines, 1):
        run, wrong = _run(columns, line, number)
        errors += [FieldError("file", f"line {number}, {sentence}") for sentence in wrong]
        runs.append(run)
    if errors or not runs:
        raise Invalid(errors[:20] or [FieldError("file", "the table has no line")])
    return runs


def _run(columns: dict[str, str | None], line: Sequence[str], number: int) -> tuple[StatedRun, list[str]]:
    cells = {t: cell for t, cell in zip(columns.values(), line, strict=False) if t and _says_something(t, cell)}
    run = StatedRun(cells.pop("name", f"Run {number}").strip(), cells.pop("notes", "").strip())
    wrong = []
    for target, cell in cells.items():
        value = _value(target, cell)
        if value is None:
            wrong.append(f"{target}: {cell.strip()!r} is not understood")
        elif target in LABELS:
            run.settings[target] = value
        elif target in SHORT:
            run.metrics[target] = value
        else:
            run.resources[target] = value
    return run, wrong


def _says_something(target: str, cell: str) -> bool:
    """`none` is a way to quantise, and nothing anywhere else."""
    return _plain(cell) not in NOTHING or (target == "quantization.method" and _plain(cell) == "none")


SHORT = frozenset(metric.short for metric in COMPARED)


def _names() -> dict[str, str]:
    names = {_plain(metric.label): metric.short for metric in COMPARED}
    names |= {_plain(metric.short): metric.short for metric in COMPARED}
    names |= {_plain(label): name for name, label in LABELS.items()} | {_plain(name): name for name in LABELS}
    return names | {_plain(s): target for target, synonyms in SYNONYMS.items() for s in synonyms}


def _plain(text: str) -> str:
    """Case, blanks, markup and units in brackets do not count in a column's name."""
    bare = re.sub(r"\([^)]*\)|\[[^\]]*\]|[*`↓↑]", " ", text).replace("α", "alpha").casefold()
    return re.sub(r"[\s_.\-]+", " ", bare).strip() if text.strip() not in NOTHING else text.strip()


def _target(column: str) -> str | None:
    return NAMES.get(_plain(column))


NAMES = _names()
# What a column may be taken for, in the order of the experiment table.
TARGETS: dict[str, str] = {
    "name": "Name",
    **LABELS,
    **{metric.short: metric.label for metric in COMPARED},
    "train_seconds": "Training time",
    "peak_memory_bytes": "Peak memory",
    "mean_memory_bytes": "Mean memory",
    "notes": "Notes",
}
TYPES = {name: info.annotation for name, info in fields()}


def _value(target: str, cell: str) -> Any:
    """The cell in base units (seconds, bytes), or None where it cannot be read."""
    text = cell.strip().strip("*`").lstrip("~≈ ").strip()
    if target == "train_seconds":
        return _quantity(text, SECONDS)
    if target in ("peak_memory_bytes", "mean_memory_bytes"):
        return _quantity(text, BYTES)
    if target == "quantization.method":
        word = _plain(text)
        return METHODS.get(word, word if word in ("nf4", "fp4", "int8", "none") else None)
    if target in SHORT:
        return _number(text)
    annotation = TYPES[target]
    if annotation is float or annotation is int or annotation == int | None:
        number = _number(text)
        return number if number is None or annotation is float else int(number) if number == int(number) else None
    return text


def _number(text: str) -> float | None:
    text = text.replace("−", "-").replace(" ", "")
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", text):
        text = text.replace(",", "")
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", text, re.IGNORECASE):
        return None
    return number if abs(number := float(text)) <= LARGEST else None


def _quantity(text: str, units: dict[str, float]) -> float | None:
    """`1 h 15 min` in seconds, `4.2 GB` in bytes; a number without a unit is not understood."""
    if units is SECONDS and (clock := re.fullmatch(r"(\d{1,9}):(\d\d):(\d\d)", text)):
        hours, minutes, seconds = map(int, clock.groups())
        return 3600.0 * hours + 60 * minutes + seconds
    parts = re.findall(r"(\d+(?:[.,]\d+)?)\s*([a-zA-Z]+)\.?", text)
    if not parts or re.sub(r"(\d+(?:[.,]\d+)?)\s*([a-zA-Z]+)\.?", "", text).strip(" ,"):
        return None
    factors = [units.get(unit.lower()) or units.get(unit.lower().rstrip("s")) for _, unit in parts]
    if None in factors:
        return None
    total = sum(float(n.replace(",", ".")) * (f or 0) for (n, _), f in zip(parts, factors, strict=True))
    return round(total, 6) if total <= LARGEST else None


Table = tuple[list[str], list[list[str]]]


def _csv(text: str) -> Table:
    """Commas, or the tabs and semicolons that spreadsheets write, whichever the head has most of."""
    text = text.lstrip("\ufeff")
    head = text.lstrip().partition("\n")[0]
    delimiter = max(",\t;", key=head.count)
    try:
        lines = [line for line in csv.reader(io.StringIO(text), delimiter=delimiter) if any(map(str.strip, line))]
    except csv.Error as error:
        raise Invalid.one("file", f"this is no CSV: {error}") from None
    return _checked(lines)


def _markdown(text: str) -> Table:
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("|")]
    cells = [re.split(r"(?<!\\)\|", line.strip("|")) for line in lines]
    rows = [[cell.replace("\\|", "|").strip() for cell in row] for row in cells]
    return _checked([row for row in rows if not all(re.fullmatch(r":?-+:?", cell) for cell in row)])


def _checked(lines: list[list[str]]) -> Table:
    if not lines:
        raise Invalid.one("file", "no table was found in it")
    head = [cell.strip() for cell in lines[0]]
    if twice := {column for column, number in Counter(head).items() if number > 1}:
        raise Invalid.one("file", f"two columns have the same name: {', '.join(sorted(twice)) or 'none'}")
    wide = [i for i, line in enumerate(lines[1:], 1) if len(line) > len(head)]
    if wide:
        raise Invalid.one("file", f"line {wide[0]} has more cells than the head has columns")
    return head, lines[1:]


def _json(text: str) -> Table:
    try:
        items = json_text.parse(text)
    except ValueError as error:
        raise Invalid.one("file", f"this is not JSON: {error}") from None
    if isinstance(items, dict):
        items = items.get("runs", items.get("items"))
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise Invalid.one("file", "the JSON must be a list of objects, one a run")
    head = list(dict.fromkeys(key for item in items for key in item))
    return head, [["" if item.get(key) is None else str(item[key]) for key in head] for item in items]
