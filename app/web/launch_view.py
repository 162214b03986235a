"""What the launch page shows: each setting with what was typed, and what the launch will do. Reads, never writes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app import run_config
from app.errors import FieldError, Invalid
from app.models import Dataset
from app.sweep import AXES
from app.web import forms, numbers, study_form
from app.web.forms import Control

# Fields of the form that are not settings.
OTHERS = {"experiment": "Experiment", "name": "Name", "notes": "Notes", "tags": "Tags"}
VARIED = {AXES + name: f"{label}, varied" for name, label in run_config.LABELS.items()}
LABELS = OTHERS | study_form.FIELDS | run_config.LABELS | VARIED

MOST_ROWS_OF_TEMPLATE = 24

# Axes whose texts are not told by the kind of their setting.
EXAMPLES = {
    "training.learning_rate": "1e-4, 2e-4, 5e-4 or 1e-4..1e-3 x3 log",
    "lora.target_modules": "all-linear; q_proj, v_proj",
    "data.dataset": "numbers of data sets: 1, 2",
    "data.prompt_template": "auto; plain",
    "model.base_model": "one/model, another/model",
    "model.revision": "main, v1.0",
    "training.max_steps": "100, 200, none",
}

# What a person reads for what a form sends.
SAID = {"true": "on", "false": "off"}


@dataclass(frozen=True)
class Field:
    """A setting on the page: its control, the text in it, the sentence beside it, and what shares its line."""

    control: Control
    text: str
    error: str | None
    choices: Sequence[str]
    axis: str = ""
    axis_error: str | None = None
    joined: "Field | None" = None

    @property
    def axis_example(self) -> str:
        """How an axis of this setting may be typed."""
        if self.name in EXAMPLES:
            return EXAMPLES[self.name]
        if self.control.kind == "number":
            return f"{self.text or 100}, ... or low..high x4"
        return ", ".join(self.control.choices) or ("true, false" if self.control.kind == "switch" else "one, another")

    @property
    def name(self) -> str:
        return self.control.name

    @property
    def help(self) -> str:
        """Of both, where two share a line."""
        if self.joined is None:
            return self.control.help
        return f"{self.control.help} {self.joined.control.label}: {self.joined.help}"

    @property
    def input_type(self) -> str:
        """A browser empties a number's box that holds no number; what was typed has to stay."""
        try:
            float(self.text or "0")
        except ValueError:
            return "text"
        return "number"

    @property
    def rows(self) -> int:
        return min(self.text.count("\n") + 1, MOST_ROWS_OF_TEMPLATE)

    @property
    def said(self) -> str:
        return said(self.text)

    @property
    def changed(self) -> bool:
        return self.text != (self.control.default or "")

    @property
    def short_label(self) -> str:
        return short_label(self.name)


@dataclass(frozen=True)
class FieldGroup:
    id: str
    title: str
    folded: bool
    fields: tuple[Field, ...]

    @property
    def wrong(self) -> bool:
        return any(f.error or f.axis_error for f in self._all)

    @property
    def varied(self) -> bool:
        return any(f.axis for f in self._all)

    @property
    def _all(self) -> list[Field]:
        return [part for f in self.fields for part in (f, f.joined) if part is not None]


def groups(texts: Mapping[str, str], errors: Mapping[str, str], datasets: Sequence[Dataset]) -> list[FieldGroup]:
    offered = {"data.dataset": [str(dataset.id) for dataset in datasets]}

    def field(control: Control) -> Field:
        text = texts.get(control.name, control.default or "")
        joined = forms.JOINED.get(control.name)
        return Field(
            control,
            text,
            errors.get(control.name),
            _choices(offered.get(control.name, control.choices), text),
            texts.get(AXES + control.name, ""),
            errors.get(AXES + control.name),
            field(forms.CONTROLS[joined]) if joined else None,
        )

    behind = set(forms.JOINED.values())
    return [
        FieldGroup(group.id, group.title, group.folded, tuple(field(c) for c in group.controls if c.name not in behind))
        for group in forms.groups()
    ]


def _choices(offered: Sequence[str], text: str) -> Sequence[str]:
    """What is chosen stays to be seen, even where it is not offered (any more)."""
    return offered if text in offered else [text, *offered]


def dataset_texts(datasets: Sequence[Dataset]) -> dict[str, str]:
    return {"": "Choose a data set"} | {str(d.id): f"{d.name}, {numbers.number(d.rows)} rows" for d in datasets}


def complaints(texts: Mapping[str, str]) -> list[FieldError]:
    """What `run_config.parse` finds wrong with the texts."""
    try:
        run_config.parse(forms.read(study_form.settings_only(texts)), strict=False)
    except Invalid as invalid:
        return invalid.errors
    return []


@dataclass(frozen=True)
class Difference:
    label: str
    was: str
    now: str


def differing(texts: Mapping[str, str], source: Mapping[str, str]) -> list[Difference]:
    """Settings that differ from what the source states."""
    return [
        Difference(run_config.label(name), said(was) or numbers.NOTHING, said(texts[name]) or numbers.NOTHING)
        for name, was in source.items()
        if name in texts and texts[name] != was
    ]


def short_label(name: str) -> str:
    """As it stands in the middle of a sentence."""
    label = run_config.label(name)
    return label if any(letter.isupper() for letter in label[1:]) else label.lower()


def said(text: str) -> str:
    """A setting's text in few words; nothing where it is not set."""
    return "own text" if "{" in text else SAID.get(text, text)
