"""Settings as the controls of a form, made from the metadata of app.run_config: a setting is stated there, once. Pure.

`read` turns what was typed into what `run_config.parse(strict=False)` takes; `text_of` is the way back.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from app.data import prompts
from app.run_config import COMMON, LABELS, UNITS, fields, flatten, nest

Kind = Literal["number", "choice", "switch", "text", "prose"]

# Two settings whose types say less than the form needs to know: a text of many lines, and a word or a list.
TEMPLATE = "data.prompt_template"
TARGETS = "lora.target_modules"

# One row of the form holds both: the second has its place behind the first.
JOINED = {"training.per_device_train_batch_size": "training.gradient_accumulation_steps"}

# (title, sections of RunConfig, whether it holds their common settings or, folded, the rest)
LAYOUT: tuple[tuple[str, tuple[str, ...], bool], ...] = (
    ("What to train", ("model", "data"), True),
    ("Adapter", ("quantization", "lora"), True),
    ("Training", ("training", "evaluation"), True),
    ("Model details", ("model", "quantization"), False),
    ("Adapter details", ("lora",), False),
    ("Training details", ("training",), False),
    ("Data details", ("data",), False),
    ("Evaluation", ("evaluation",), False),
)


@dataclass(frozen=True)
class Control:
    """One setting as a page shows it; `limits` are attributes of its input."""

    name: str
    label: str
    help: str
    unit: str
    kind: Kind
    choices: tuple[str, ...]
    limits: Mapping[str, str]
    default: str | None
    optional: bool


@dataclass(frozen=True)
class Group:
    title: str
    folded: bool
    controls: tuple[Control, ...]

    @property
    def id(self) -> str:
        return "group-" + self.title.lower().replace(" ", "-")


def text_of(value: Any) -> str:
    """A setting as a person would type it; `read` gives the value back."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return str(value)


def texts(config: Mapping[str, Any]) -> dict[str, str]:
    """Every setting that a configuration states, as text by dotted name."""
    return {name: text_of(value) for name, value in flatten(config).items()}


def defaults() -> dict[str, str]:
    """What an untouched form holds, without the settings that have no default."""
    return {control.name: control.default for control in CONTROLS.values() if control.default is not None}


def read(form: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The dotted names of a submitted form, nested; a name that is no setting stays in and is an error of `parse`."""
    return nest({name: value(name, text) for name, text in form.items() if "." in name})


def groups() -> list[Group]:
    """The form's groups in order: common settings first, the rest folded by subject; each setting stands in one."""
    return [
        Group(title, not common, tuple(c for c in CONTROLS.values() if _section(c) in sections and _is(c, common)))
        for title, sections, common in LAYOUT
    ]


def _section(control: Control) -> str:
    return control.name.partition(".")[0]


def _is(control: Control, common: bool) -> bool:
    return (control.name in COMMON) is common


def value(name: str, text: str) -> Any:
    """What was typed into a setting, as `parse(strict=False)` and its type take it."""
    word = text.strip()
    if name == TEMPLATE and word not in prompts.NAMES:
        return text.replace("\r\n", "\n")  # browsers send CRLF whatever was typed
    if not word:
        return None if name in CONTROLS and CONTROLS[name].optional else word
    if name == TARGETS and word != "all-linear":
        return [part.strip() for part in word.split(",")]
    return word


def _number(value: float) -> str:
    """The shortest text that reads back as the same number: 2e-4, 0.05, 3."""
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    if abs(value) < 1e-3:
        return format(Decimal(repr(value)).normalize(), "e")
    return repr(value)


def _control(name: str, field: FieldInfo) -> Control:
    members = tuple(_members(field.annotation))
    choices = tuple(member for member in members if isinstance(member, str))
    kind = _kind(name, members, choices)
    limits = _limits(field)
    if kind == "number":
        limits["step"] = "any" if float in members else "1"
    return Control(
        name=name,
        label=LABELS[name],
        help=field.description or "",
        unit=UNITS[name],
        kind=kind,
        choices=(*choices, "true", "false") if choices and bool in members else choices,
        limits=limits,
        default=None if field.is_required() else text_of(field.default),
        optional=NoneType in members,
    )


def _members(annotation: Any) -> Iterator[Any]:
    """The types of a union and the values of a Literal, flattened."""
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    elif get_origin(annotation) in (Union, UnionType):
        for part in get_args(annotation):
            yield from _members(part)
    else:
        yield annotation


def _kind(name: str, members: tuple[Any, ...], choices: tuple[str, ...]) -> Kind:
    if choices:
        return "choice"
    if members == (bool,):
        return "switch"
    if int in members or float in members:
        return "number"
    return "prose" if name == TEMPLATE else "text"


# Which attribute of an input says a rule of a field; HTML has no exclusive limits, so those are checked on the server.
_ATTRIBUTES = {"ge": "min", "gt": "min", "le": "max", "lt": "max", "max_length": "maxlength"}


def _limits(field: FieldInfo) -> dict[str, str]:
    return {
        attribute: text_of(getattr(rule, word))
        for rule in field.metadata
        for word, attribute in _ATTRIBUTES.items()
        if hasattr(rule, word)
    }


CONTROLS: dict[str, Control] = {name: _control(name, field) for name, field in fields()}
