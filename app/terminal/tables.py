"""Runs as tables in a terminal. Each takes what the API answers and prints numbers as the pages do."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.metrics import COMPARED, Metric, is_better
from app.run_config import fields, flatten, label
from app.status import RunStatus
from app.web import numbers

Json = Mapping[str, Any]

# The settings of the leaderboard's columns.
SETTINGS = (
    "training.learning_rate",
    "training.per_device_train_batch_size",
    "lora.r",
    "lora.lora_alpha",
    "training.num_train_epochs",
)
# Wide enough that nothing is cut where the output goes to a file.
FILE_WIDTH = 160
# Columns of words, and what they have at least; longer ones go over several lines where the width is short.
LEAST_WIDTH = {"": 1, "Run": 10, "Experiment": 10, "Status": 9}


def console() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else FILE_WIDTH)


def leaderboard(runs: Sequence[Json], width: int = FILE_WIDTH) -> Table:
    """Runs in the order given, the best of each metric in bold; as many settings as the width allows."""
    configs = [flatten(run["config"]) for run in runs]
    different = [name for name in SETTINGS if any(config.get(name) != configs[0].get(name) for config in configs)]
    full, short, bare = (_leaderboard(runs, shown) for shown in (SETTINGS, different, ()))
    return next((table for table in (full, short) if _width(table) <= width), bare)


def _leaderboard(runs: Sequence[Json], shown: Sequence[str]) -> Table:
    table = _table("Leaderboard", ["", "Run", *map(label, shown), *(_heading(m) for m in COMPARED), "Time", "Memory"])
    best = {metric.short: _best(runs, metric) for metric in COMPARED}
    for place, run in enumerate(runs, start=1):
        settings = flatten(run["config"])
        table.add_row(
            str(place),
            plain(run["name"]),
            *(numbers.setting(settings.get(name)) for name in shown),
            *(_marked(_measured(run, metric), metric, best[metric.short]) for metric in COMPARED),
            *_costs(run),
        )
    return table


def _width(table: Table) -> int:
    unlimited = Console(width=1000)
    return unlimited.measure(table).minimum


def findings(report: Json) -> str:
    """The report's sentences: findings, then recommendations."""
    parts = [("Findings", report["findings"]), ("Recommendations", report["recommendations"])]
    sections = ([f"\n[bold]{head}[/]", *(f"- {plain(item['text'])}" for item in items)] for head, items in parts)
    return "\n".join(line for section in sections for line in section)


def comparison(run: Json) -> Table:
    """Base against fine-tuned, one metric a row, the direction of the change judged by its interval."""
    results = run["results"]
    title = f"{plain(run['name'])}: base and fine-tuned on {results['eval_rows']} held-out rows"
    table = _table(title, ["", "Base", "Fine-tuned", "Change", "95\u00a0%\u00a0interval"])
    for metric in COMPARED:
        change = results["improvement"][metric.short]
        interval = (results.get("intervals") or {}).get(metric.short)
        style = {"good": "green", "bad": "red"}.get(numbers.verdict(metric.short, change, interval), "")
        table.add_row(
            _heading(metric),
            numbers.metric(results["base"][metric.short], metric.short),
            numbers.metric(results["finetuned"][metric.short], metric.short),
            f"[{style}]{numbers.change(change)}[/]" if style else numbers.change(change),
            f"{numbers.change(interval[0])} to {numbers.change(interval[1])}" if interval else numbers.NOTHING,
        )
    return table


def run_list(runs: Sequence[Json]) -> Table:
    table = _table(
        "", ["Id", "Experiment", "Run", "Status", *(_heading(metric) for metric in COMPARED), "Time", "Memory"]
    )
    for run in runs:
        measured = (numbers.metric(_measured(run, metric), metric.short) for metric in COMPARED)
        table.add_row(
            str(run["id"]), plain(run["experiment"]["name"]), plain(run["name"]), status(run), *measured, *_costs(run)
        )
    return table


def describe(run: Json) -> list[Table | str]:
    """A run from its name to its results; settings that were left at their default are not repeated."""
    parts: list[Table | str] = [f"[bold]{run['id']}  {plain(run['name'])}[/]  {status(run)}"]
    parts += [f"Experiment  {plain(run['experiment']['name'])}"]
    parts += [f"{label(name)}  {plain(numbers.setting(value))}" for name, value in _chosen(run)]
    parts += [f"Note: {plain(warning)}" for warning in run["warnings"]]
    if run["error"]:
        parts.append(failure(run))
    if run["results"]:
        seconds, memory = _costs(run)
        parts += [comparison(run), f"Training took {seconds} and {memory} of memory on {run['resources']['device']}"]
    return parts


def _chosen(run: Json) -> list[tuple[str, Any]]:
    defaults = {name: field.default for name, field in fields()}
    return [(name, value) for name, value in flatten(run["config"]).items() if value != defaults.get(name)]


def failure(run: Json) -> str:
    """What became of a run that did not complete, and what to do."""
    error = run["error"] or {}
    said = " ".join(filter(None, (error.get(part) for part in ("title", "detail", "hint"))))
    return f"[red]{plain(run['name'])} {run['status']}[/]{': ' + plain(said) if said else ''}"


def status(run: Json) -> str:
    """`running: training, 34/57`; the count of steps for as long as there are some to come."""
    if run.get("tries_again_in"):
        return f"queued: tries again in {numbers.duration(run['tries_again_in']).striptags()}"
    if run["status"] != RunStatus.RUNNING or not run["stage"]:
        return str(run["status"])
    step, total = run["progress"]["step"], run["progress"]["total_steps"]
    return f"running: {run['stage']}{f', {step}/{total}' if total and step < total else ''}"


def plain(text: str) -> str:
    """A name that somebody chose, without what a terminal or rich would take as a command."""
    return escape("".join(letter if letter.isprintable() else " " for letter in text))


def _table(title: str, columns: Sequence[str]) -> Table:
    """Numbers are never cut, and names not below a readable width; headings go over two lines."""
    table = Table(
        title=title or None, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0)
    )
    for column in columns:
        words = column in LEAST_WIDTH
        table.add_column(
            column.replace(" ", "\n"),
            justify="left" if words else "right",
            header_style="dim",
            no_wrap=not words,
            min_width=LEAST_WIDTH.get(column),
        )
    return table


def _heading(metric: Metric) -> str:
    return f"{metric.label} {'↓' if metric.direction == 'lower' else '↑'}"


def _measured(run: Json, metric: Metric) -> float | None:
    value: float | None = run["results"]["finetuned"][metric.short] if run["results"] else None
    return value


def _best(runs: Sequence[Json], metric: Metric) -> float | None:
    best: float | None = None
    for value in (_measured(run, metric) for run in runs):
        if value is not None and (best is None or is_better(metric, value, than=best)):
            best = value
    return best


def _marked(value: float | None, metric: Metric, best: float | None) -> str:
    text = numbers.metric(value, metric.short)
    return f"[bold]{text}[/]" if value is not None and value == best else text


def _costs(run: Json) -> tuple[str, str]:
    resources = run["resources"] or {}
    seconds, peak = resources.get("train_seconds"), resources.get("peak_memory_bytes")
    return numbers.duration(seconds).striptags(), numbers.gigabytes(peak).striptags()
