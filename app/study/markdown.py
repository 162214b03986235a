"""A report as Markdown: the document that people keep, with nothing in it that the JSON does not hold."""

from collections.abc import Sequence
from typing import Any

from app.metrics import BY_SHORT, COMPARED
from app.run_config import LABELS, value_text
from app.study.text import duration, listing, metric_value, percent, size

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
        _section("Findings", _list([f["text"] for f in report["findings"]])),
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
    metric = BY_SHORT[best["metric"]]
    batch = f", effective batch size {best['effective_batch_size']}" if best["effective_batch_size"] else ""
    settings = listing([f"{LABELS[n]} {value_text(best['settings'][n])}" for n in SETTINGS if n in best["settings"]])
    return (
        f"**Best: {best['name']}**, {metric.label} {metric_value(best['metric'], best['value'])} ({settings}{batch})."
    )


def _setup(setup: Json) -> str:
    rows = [(label, str(value)) for label, value in setup.get("lines", {}).items()]
    return _section("Setup", table(("what", "value"), rows)) if rows else ""


def _results(report: Json) -> str:
    head = ["Run", *(LABELS[n] for n in SETTINGS), *(m.label for m in COMPARED), "Training time", "Memory", "Notes"]
    return table(head, [_result(row) for row in report["table"]])


def _result(row: Json) -> list[str]:
    settings = [value_text(row["settings"][n]) if n in row["settings"] else DASH for n in SETTINGS]
    metrics = [_metric(row, m.short) for m in COMPARED]
    time = duration(row["train_seconds"]) if row["train_seconds"] is not None else DASH
    memory = size(row["peak_memory_bytes"]) if row["peak_memory_bytes"] is not None else DASH
    says = f"(numbers: {row['numbers_say']})" if row["numbers_say"] else ""
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
            values = [metric_value(metric.short, pair[side]) for side in ("base", "finetuned")]
            rows.append([metric.label, *values, change, interval])
    return table(("Metric", "Base", "Fine-tuned", "Change", "95 % interval"), rows) if rows else ""


def _memory(report: Json) -> str:
    rows = [
        [
            row["quantization"],
            size(row["peak_bytes"]),
            size(row["mean_bytes"]) if row["mean_bytes"] is not None else DASH,
            {"cuda": "GPU", "rss": "process (RSS)", "stated": "as stated"}[row["memory_kind"]],
            percent(row["saving"]) if row["saving"] is not None else DASH,
        ]
        for row in report["memory"]
    ]
    return table(("Quantisation", "Peak", "Mean", "Of what", "Against none"), rows) if rows else ""


def _time(report: Json) -> str:
    names = ("per_epoch", "total", "per_1000_rows", "per_1000_examples")
    rows = [
        [row["name"], *(duration(row[n]) if row[n] is not None else DASH for n in names)]
        for row in report["time"]
        if row["total"] is not None
    ]
    return table(("Run", "Per epoch", "Training", "Per 1,000 rows", "Per 1,000 examples seen"), rows) if rows else ""


def _because(item: Json) -> str:
    return f"{item['text']} ({', '.join(item['because'])})" if item["because"] else item["text"]
