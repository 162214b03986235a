"""The launch form's part that makes many runs of one: what is typed beside a field to vary it, and lists of runs. Pure.

An axis is typed as a list, `1e-4, 2e-4, 5e-4`, or as a range, `1e-4..1e-3 x3 log`. Texts that hold commas themselves
(target modules) are parted by semicolons. A list of runs has a line each: name | lora.r=4, lora.lora_alpha=8 | notes.
Fields of the form are called as the errors of app.sweep call them: `axes.lora.r`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from app import findings, run_config, sweep
from app.errors import FieldError, Invalid
from app.run_config import RunConfig
from app.sweep import AXES, Axis, Named, Plan, Variant
from app.web import forms

METHODS = {
    "one_at_a_time": "One at a time, around the settings above",
    "grid": "Grid: every combination",
    "random": "Random: as many as the budget allows",
}
LINKS = {"rank": ("lora.r", "lora.lora_alpha")}

# Fields of the form beside the axes.
LINKED, METHOD, BUDGET, SEEDS, RUNS = "linked", "method", "max_runs", "seeds", "runs"
FIELDS = {METHOD: "Method", BUDGET: "Budget", LINKED: "Linked", SEEDS: "Seeds", RUNS: "Named runs"}

RANGE = re.compile(r"(?P<low>[^\s,;]+?)\s*\.\.\s*(?P<high>[^\s,;]+)(?:\s+x\s*(?P<n>\d+))?(?:\s+(?P<scale>log|linear))?")
# Spaced by factors unless told otherwise: what matters of them is the order of magnitude.
LOG_SPACED = frozenset({"training.learning_rate"})
# Texts that hold commas themselves.
PARTED_BY_SEMICOLON = frozenset({forms.TARGETS, forms.TEMPLATE})
BETWEEN_SETTINGS = re.compile(r",\s*(?=[a-z_]+\.[a-z_]+\s*=)")

TYPES = {
    name: TypeAdapter[Any](Annotated[(field.annotation, *field.metadata, None)])  # type: ignore[arg-type]
    for name, field in run_config.fields()
}


@dataclass(frozen=True)
class Study:
    """What was typed to make many runs of one."""

    axes: Mapping[str, str]  # by dotted name of the setting
    method: str
    budget: str
    linked: bool
    seeds: str
    runs: str

    @classmethod
    def of(cls, typed: Mapping[str, str]) -> "Study":
        axes = {name: typed.get(AXES + name, "").strip() for name in forms.CONTROLS}
        return cls(
            axes={name: text for name, text in axes.items() if text},
            method=typed.get(METHOD) or next(iter(METHODS)),
            budget=typed.get(BUDGET, "").strip(),
            linked=typed.get(LINKED) == "true",
            seeds=typed.get(SEEDS, "").strip(),
            runs=typed.get(RUNS, "").strip(),
        )

    def __bool__(self) -> bool:
        return bool(self.axes or self.seeds or self.runs)

    @property
    def made_by(self) -> str:
        return "list" if self.runs else self.method

    def variants(self, config: RunConfig) -> list[Variant]:
        """Raises Invalid, keyed by the form's fields."""
        if self.runs and (self.axes or self.seeds):
            raise Invalid.one(RUNS, "Vary fields or write a list of runs, not both")
        return sweep.named(config, read_runs(self.runs)) if self.runs else sweep.expand(config, self._plan())

    def _plan(self) -> Plan:
        errors: list[FieldError] = []
        if self.method not in METHODS:
            errors.append(FieldError(METHOD, f"This must be one of {', '.join(METHODS)}"))
        axes = {name: axis for name, text in self.axes.items() if (axis := _axis(name, text, errors)) is not None}
        budget = _whole(BUDGET, self.budget, errors)
        seeds = [_whole(SEEDS, word, errors) for word in _parts(self.seeds, ",")]
        if errors:
            raise Invalid(errors)
        links = [link for link in LINKS.values() if self.linked and any(name in axes for name in link)]
        return Plan(axes, self.method, budget, links, [s for s in seeds if s is not None])  # type: ignore[arg-type]


def read_axis(name: str, text: str) -> Axis:
    """The values or the range that a text states; raises Invalid keyed by `axes.<name>`."""
    found = RANGE.fullmatch(text.strip())
    if found and forms.CONTROLS[name].kind == "number":
        low, high = (_value(name, found[part], AXES + name) for part in ("low", "high"))
        scale = found["scale"] or ("log" if name in LOG_SPACED else "linear")
        return {"low": low, "high": high, "n": int(found["n"] or 3), "scale": scale}
    parts = _parts(text, ";" if name in PARTED_BY_SEMICOLON else ",")
    return [_value(name, part, AXES + name) for part in parts]


def read_runs(text: str) -> list[Named]:
    """A line a run: name | settings | notes. Raises Invalid keyed by `runs.<number>...`, numbers from 0."""
    lines = [line for line in text.splitlines() if line.strip()]
    return [_named(number, line) for number, line in enumerate(lines)]


def write_runs(runs: Iterable[tuple[str, str, Mapping[str, Any]]], base: Mapping[str, Any]) -> str:
    """The lines that `read_runs` reads, with only what differs from the base (by dotted name)."""
    return "\n".join(
        " | ".join((name, ", ".join(f"{k}={_text(v)}" for k, v in changes.items() if base.get(k, ...) != v), notes))
        for name, notes, changes in runs
    )


def settings_only(typed: Mapping[str, str]) -> dict[str, str]:
    """What was typed without what makes many runs of it: the one configuration that a form states."""
    return {name: text for name, text in typed.items() if not name.startswith(AXES)}


def _text(value: Any) -> str:
    return forms.text_of(value) or "none"


def _named(number: int, line: str) -> Named:
    name, settings, notes = ([part.strip() for part in line.split("|", 2)] + ["", ""])[:3]
    changes: dict[str, Any] = {}
    for part in BETWEEN_SETTINGS.split(settings) if settings else ():
        setting, equals, text = (piece.strip() for piece in part.partition("="))
        field = f"{RUNS}.{number}.set.{setting}"
        if setting not in forms.CONTROLS:
            raise Invalid.one(field, f"There is no such setting; line {number + 1} reads name | lora.r=4 | notes")
        if not equals:
            raise Invalid.one(field, "Write it as lora.r=4")
        changes[setting] = _value(setting, text, field)
    return Named(name, notes, changes)


def _axis(name: str, text: str, errors: list[FieldError]) -> Axis | None:
    try:
        return read_axis(name, text)
    except Invalid as error:
        errors += error.errors
        return None


def _whole(field: str, text: str, errors: list[FieldError]) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 12:
        errors.append(
            FieldError(field, "This must be a whole number" if field == BUDGET else "Write whole numbers: 1, 2, 3")
        )
        return None
    return int(text)


def _parts(text: str, separator: str) -> list[str]:
    return [part.strip() for part in text.split(separator) if part.strip()]


def _value(name: str, text: str, field: str) -> Any:
    """A typed value as the setting has it; `none` empties a setting that may be empty."""
    if text == "none" and forms.CONTROLS[name].optional:
        return None
    try:
        return TYPES[name].validate_python(forms.value(name, text))
    except ValidationError as error:
        found = findings.field_error(error.errors()[0] | {"loc": (field,)})
        raise Invalid.one(field, f"{found.message}: {text[:40]}") from None
