"""A report as Markdown: the document that people keep, with nothing in it that the JSON does not hold."""

from collections.abc import Sequence
from typing import Any

from app.metrics import BY_SHORT, COMPARED
from app.run_config import LABELS, value_text
from app.study.text import LOSS_DECIMALS, duration, listing, metric_pair, metric_value, number, percent, size

Json = dict[str, Any]
DASH = "\u2013"
SETTINGS = (
    "training.learning_rate",
    "training.per_device_train_batch_size",
    "lora.r",
    "lora.lora_alpha",
    "training.num_train_epochs",
)


def render(report: Json) -> str:
    parts = [
        f"# {report['experiment']['name']}",
        report["experiment"].get("description") or "",
        _best(report),
        _setup(report["setup"]),
        _section("Results", _results(report)),
        _section("Base against fine-tuned", _base_vs_finetuned(report)),
        _section("Findings", _list([_finding(f) for f in report["findings"]])),
        _section("Training against held-out loss", _losses(report)),
        _section("Trade-offs", _trade_offs(report)),
        _section("Memory", _memory(report)),
        _section("Time", _time(report)),
        _section("Recommendations", _list([_because(r) for r in report["recommendations"]])),
        _section("What to try next", _list([step["text"] for step in report["next"]])),
        _section("Caveats", _list(report["caveats"])),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines
    )


def _section(title: str, body: str) -> str:
    return f"## {title}\n\n{body}" if body else ""


def _list(items: Sequence[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _best(report: Json) -> str:
    best = report["best"]
    if best is None:
        return "No run of this experiment has a result yet."
    batch = f", effective batch size {best['effective_batch_size']}" if best["effective_batch_size"] else ""
    settings = listing([f"{LABELS[n]} {value_text(best['settings'][n])}" for n in SETTINGS if n in best["settings"]])
    leads = "".join(f" {lead['text']}" for lead in best["leads"])
    return f"**{best['text']}**{leads}\n\nIts settings: {settings or 'not stated'}{batch}."


def _setup(setup: Json) -> str:
    rows = [(label, str(value)) for label, value in setup.get("lines", {}).items()]
    return _section("Setup", table(("what", "value"), rows)) if rows else ""


def _results(report: Json) -> str:
    head = ["Run", *(LABELS[n] for n in SETTINGS), *(m.label for m in COMPARED), "Training time", "Memory", "Notes"]
    return table(head, [_result(row) for row in report["table"]])


def _result(row: Json) -> list[str]:
    settings = [value_text(row["settings"][n]) if n in row["settings"] else DASH for n in SETTINGS]
    metrics = [_metric(row, m.short) for m in COMPARED]
    time, memory = _duration(row["train_seconds"]), _size(row["peak_memory_bytes"])
    says = f"({'≠ ' if row['note_disagrees'] else ''}numbers: {row['numbers_say']})" if row["numbers_say"] else ""
    return [row["name"], *settings, *metrics, time, memory, " ".join(filter(None, (row["notes"], says)))]


def _metric(row: Json, short: str) -> str:
    if row[short] is None:
        return DASH
    delta = row["deltas"][short]
    signed = "" if delta is None else f" ({'+' if delta > 0 else ''}{metric_value(short, delta)})"
    return metric_value(short, row[short]) + signed


def _base_vs_finetuned(report: Json) -> str:
    rows = []
    for metric in COMPARED:
        pair = report["base_vs_finetuned"][metric.short]
        if pair and pair["base"] is not None and pair["finetuned"] is not None:
            interval = f"{percent(pair['interval'][0])} to {percent(pair['interval'][1])}" if pair["interval"] else DASH
            change = percent(pair["improvement"]) if pair["improvement"] is not None else DASH
            values = metric_pair(metric.short, pair["base"], pair["finetuned"])
            rows.append([metric.label, *values, change, interval])
    return table(("Metric", "Base", "Fine-tuned", "Change", "95 % interval"), rows) if rows else ""


def _finding(finding: Json) -> str:
    return f"**{finding['id']}. {finding['title']}.** {finding['text']}"


def _losses(report: Json) -> str:
    measured = [row for row in report["overfitting"] if row["last"] is not None]
    if not measured:
        return "Nothing can be said of overfitting: no run has a held-out loss measured along its training."
    cells = [
        [row["name"], *(_number(row[n], LOSS_DECIMALS) for n in ("train_last", "lowest", "last")), row["text"]]
        for row in measured
    ]
    return table(("Run", "Training, last epoch", "Held-out, lowest", "Held-out, at the end", "What it means"), cells)


def _trade_offs(report: Json) -> str:
    """Only what no other configuration beats."""
    offs = report["trade_offs"]
    front = [point for point in offs["points"] if point["on_front"]]
    if len(offs["points"]) < 2 or len(offs["axes"]) < 2:
        return ""
    cells = [
        [point["name"], metric_value(offs["metric"], point["value"]), _duration(point["train_seconds"]),
         _size(point["peak_memory_bytes"])]
        for point in front
    ]  # fmt: skip
    head = ("No other is as good and cheaper", BY_SHORT[offs["metric"]].label, "Training time", "Peak memory")
    return table(head, cells)


def _memory(report: Json) -> str:
    kinds = {"cuda": "GPU", "rss": "process (RSS)", "stated": "as stated"}
    rows = [
        [row["quantization"], _size(row["peak_bytes"]), _size(row["mean_bytes"]), kinds[row["memory_kind"]],
         *(percent(row[n]) if row[n] is not None else DASH for n in ("saving", "mean_saving"))]
        for row in report["memory"]
    ]  # fmt: skip
    head = ("Quantisation", "Peak", "Mean", "Of what", "Peak against none", "Mean against none")
    return table(head, rows) if rows else ""


def _time(report: Json) -> str:
    names = ("per_epoch", "total", "per_1000_rows", "per_1000_examples")
    rows = [
        [row["name"], *(_duration(row[n]) for n in names), _number(row["tokens_per_second"], 0)]
        for row in report["time"]
        if row["total"] is not None
    ]
    head = ("Run", "Per epoch", "Training", "Per 1,000 rows", "Per 1,000 examples seen", "Tokens a second")
    return table(head, rows) if rows else ""


def _duration(seconds: float | None) -> str:
    return DASH if seconds is None else duration(seconds)


def _size(value: float | None) -> str:
    return DASH if value is None else size(value)


def _number(value: float | None, decimals: int) -> str:
    return DASH if value is None else number(value, decimals)


def _because(item: Json) -> str:
    return f"{item['text']} ({', '.join(item['because'])})" if item["because"] else item["text"]
