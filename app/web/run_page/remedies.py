"""After a failure that settings can mend: changes worth a try, each one ready to be launched. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from app.run_config import flatten
from app.web.forms import text_of

BATCH, ACCUMULATION = "training.per_device_train_batch_size", "training.gradient_accumulation_steps"
SHORTEST = 128  # tokens; below it little is left of a row


@dataclass(frozen=True)
class Remedy:
    text: str
    note: str
    changes: Mapping[str, Any]

    def link(self, run_id: int) -> str:
        """The launch form with the run's settings and these changes."""
        return "/runs/new?" + urlencode({"clone": run_id} | {name: text_of(v) for name, v in self.changes.items()})


def remedies(code: str, config: Mapping[str, Any]) -> list[Remedy]:
    """The gentlest first; none for a failure that is not about settings."""
    settings = flatten(config)
    return {"out_of_memory": _less_memory, "nan_loss": _calmer}.get(code, _none)(settings)


def _none(_: Mapping[str, Any]) -> list[Remedy]:
    return []


def _less_memory(settings: Mapping[str, Any]) -> list[Remedy]:
    batch, length = settings[BATCH], settings["data.max_length"]
    found = []
    if settings["quantization.method"] not in ("nf4", "fp4"):
        found.append(Remedy("Load the base in 4 bits (nf4)", "same batch", {"quantization.method": "nf4"}))
    if batch > 1:
        passes = -(-settings[ACCUMULATION] * batch // (batch // 2))
        halved = {BATCH: batch // 2, ACCUMULATION: passes}
        found.append(Remedy(f"Batch {batch // 2}, accumulation {passes}", "same effective batch", halved))
    if settings["training.gradient_checkpointing"] is not True:
        changes = {"training.gradient_checkpointing": True}
        found.append(Remedy("Gradient checkpointing on", "about a third slower", changes))
    if length // 2 >= SHORTEST:
        found.append(Remedy(f"Max length {length // 2}", "longer rows are cut", {"data.max_length": length // 2}))
    return found


def _calmer(settings: Mapping[str, Any]) -> list[Remedy]:
    rate = settings["training.learning_rate"]
    found = [Remedy(f"Learning rate {text_of(rate / 10)}", "a tenth", {"training.learning_rate": rate / 10})]
    if settings["quantization.compute_dtype"] != "float32":
        found.append(Remedy("Compute in float32", "slower", {"quantization.compute_dtype": "float32"}))
    return found
