"""The runs of a report as CSV: raw numbers in base units, one line a run, for whoever computes on."""

import csv
import io
from typing import Any

from app.csv_cells import cell
from app.metrics import COMPARED

SETTINGS = (
    "training.learning_rate",
    "training.per_device_train_batch_size",
    "training.gradient_accumulation_steps",
    "lora.r",
    "lora.lora_alpha",
    "training.num_train_epochs",
)
COSTS = ("train_seconds", "peak_memory_bytes")


def render(report: dict[str, Any]) -> str:
    """The twelve columns first, then every other setting that some run states, deltas, and times."""
    text = io.StringIO()
    stated = dict.fromkeys(name for row in report["table"] for name in row["settings"])
    others = [name for name in stated if name not in SETTINGS]
    times = {row["run"]: row for row in report["time"]}
    names = [m.short for m in COMPARED]
    rates = ["per_epoch", "per_1000_rows", "per_1000_examples", "tokens_per_second"]
    writer = csv.writer(text)
    writer.writerow(
        ["run", "name", *SETTINGS, *names, *COSTS, "notes", *(f"{n}_change" for n in names), *rates, *others]
    )
    for row in report["table"]:
        cells = [row["run_id"], row["name"], *(row["settings"].get(n) for n in SETTINGS), *(row[n] for n in names)]
        cells += [*(row[n] for n in COSTS), row["notes"], *(row["deltas"][n] for n in names)]
        cells += [*(times[row["run_id"]][n] for n in rates), *(row["settings"].get(n) for n in others)]
        writer.writerow([cell(value) for value in cells])
    return text.getvalue()
