"""From one configuration and its axes to the runs to launch. Pure: nothing is stored or queued here.

An axis is a list of values or a range {"low", "high", "n", "scale"}. The base configuration is always the first run of
`one_at_a_time`, and of a grid that holds it: matched comparisons need a baseline. Linked fields keep their ratio: with
r linked to alpha and a base of 8 and 16, an r of 4 brings an alpha of 8.
"""

import itertools
import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from app.errors import FieldError, Invalid
from app.run_config import LABELS, RunConfig, fields, flatten, nest, parse, value_text

Method = Literal["grid", "one_at_a_time", "random"]
Axis = Sequence[Any] | Mapping[str, Any]
Changes = dict[str, Any]

# A study of more is a mistake in an axis far more often than a wish.
MAX_RUNS = 200
LARGEST = 1e18  # no setting is larger
MOST_POINTS = 10_000  # of a grid before twins are dropped
WHOLE = frozenset(name for name, field in fields() if field.annotation in (int, int | None))
SEED = "training.seed"
AXES = "axes."


@dataclass(frozen=True)
class Variant:
    """One run to be: its name, what it changes of the base configuration, and the whole of its own."""

    name: str
    changes: Changes
    config: RunConfig
    notes: str = ""
    calls: Mapping[str, str] = field(default_factory=dict)  # how the caller wrote the settings that this run sets


@dataclass(frozen=True)
class Named:
    """A run that somebody spelt out: what it is called, why it is made, what it sets."""

    name: str
    notes: str = ""
    set: Changes = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """How variants are made of axes."""

    axes: Mapping[str, Axis] = field(default_factory=dict)
    method: Method = "grid"
    max_runs: int | None = None
    linked: Sequence[Sequence[str]] = ()
    seeds: Sequence[int] = ()


def expand(config: RunConfig, plan: Plan) -> list[Variant]:
    """The runs of a sweep, without twins. Raises Invalid keyed by `axes.<field>`, `linked`, `seeds` or `max_runs`."""
    base = flatten(config.model_dump())
    _check(plan, base)
    points = [_link(point, plan.linked, base) for point in _points(plan, base)]
    points = list({repr(sorted({**base, **point}.items())): point for point in points}.values())
    if plan.method == "random":
        points = points[: plan.max_runs]
    else:
        points.sort(
            key=lambda point: any(base[name] != value for name, value in point.items())
        )  # stable: baseline first
    if plan.seeds:
        points = [{**point, SEED: seed} for point in points for seed in plan.seeds]
    limit = MAX_RUNS if plan.method == "random" else min(plan.max_runs or MAX_RUNS, MAX_RUNS)
    _at_most(limit, len(points))
    return _all(config, points, plan)


def named(config: RunConfig, runs: Sequence[Named]) -> list[Variant]:
    """The runs of a list that somebody wrote. Raises Invalid keyed by `runs.0.name` or `runs.0.set.<field>`."""
    if not runs:
        raise Invalid.one("runs", "The list has no run")
    _at_most(MAX_RUNS, len(runs), "runs")
    made: list[Variant] = []
    errors: list[FieldError] = []
    for number, run in enumerate(runs):
        if not run.name.strip():
            errors.append(FieldError(f"runs.{number}.name", "A run of a list needs a name"))
        try:
            made.append(variant(config, run.set, run.name, run.notes, prefix=f"runs.{number}.set."))
        except Invalid as error:
            errors += error.errors
    if errors:
        raise Invalid(errors)
    return made


def variant(config: RunConfig, changes: Changes, name: str = "", notes: str = "", *, prefix: str = AXES) -> Variant:
    """One run that differs from `config` by `changes`; a wrong value is an error of `prefix` and its field."""
    base = flatten(config.model_dump())
    unknown = [FieldError(prefix + name, "There is no such setting") for name in changes if name not in base]
    if unknown:
        raise Invalid(unknown)
    real = {key: value for key, value in changes.items() if base[key] != value}
    try:
        whole = parse(nest({**base, **changes}))
    except Invalid as error:
        raise Invalid([FieldError(_called(e.field, changes, prefix), e.message) for e in error.errors]) from None
    calls = {field: prefix + field for field in changes}
    return Variant(name or describe(real), real, whole, notes, calls)


def record(variants: Sequence[Variant], method: str) -> dict[str, Any] | None:
    """What is kept with runs that were made together: how, and the values that each varied setting took."""
    if len(variants) < 2:
        return None
    settings = [flatten(one.config.model_dump(mode="json")) for one in variants]
    names = dict.fromkeys(name for one in variants for name in one.changes)
    return {"method": method, "axes": {name: _each_once(found[name] for found in settings) for name in names}}


def _each_once(values: Iterable[Any]) -> list[Any]:
    """In the order of their first; a value may be a list."""
    return list({repr(value): value for value in values}.values())


def _called(field: str, changes: Changes, prefix: str) -> str:
    """The field as its caller wrote it: with the prefix where this run set it, else as in the base configuration."""
    return prefix + field if field in changes else field


def _all(config: RunConfig, points: Sequence[Changes], plan: Plan) -> list[Variant]:
    """Every point as a run, or all that is wrong with any of them, each once."""
    made: list[Variant] = []
    errors: list[FieldError] = []
    for point in points:
        try:
            made.append(variant(config, point))
        except Invalid as error:
            errors += error.errors
    if errors:
        seeds = AXES + SEED if plan.seeds else None
        raise Invalid(list(dict.fromkeys(FieldError("seeds", e.message) if e.field == seeds else e for e in errors)))
    return made


def _at_most(limit: int, number: int, field: str = "max_runs") -> None:
    if number > limit:
        raise Invalid.one(field, f"This makes {number:,} runs; at most {limit} are allowed here")


def describe(changes: Changes) -> str:
    """A name from what differs: `LoRA r 4, LoRA alpha 8`; the base configuration is the Baseline."""
    return ", ".join(f"{LABELS[key]} {value_said(value)}" for key, value in changes.items()) or "Baseline"


def value_said(value: Any) -> str:
    """A value in few words: a switch is on or off, and a template is too long for a name."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return "own text" if isinstance(value, str) and "{" in value else value_text(value)


def _check(plan: Plan, base: Changes) -> None:
    errors = [FieldError(f"axes.{name}", "There is no such setting") for name in plan.axes if name not in base]
    errors += [
        FieldError("linked", f"{name} is no setting with a number to keep in ratio")
        for group in plan.linked
        for name in group
        if not _is_number(base.get(name))
    ]
    if plan.method == "random" and not plan.max_runs:
        errors.append(FieldError("max_runs", "A random search needs its number of runs"))
    if plan.max_runs and plan.max_runs > MAX_RUNS:
        errors.append(FieldError("max_runs", f"At most {MAX_RUNS} runs are allowed here"))
    if len(set(plan.seeds)) != len(plan.seeds):
        errors.append(FieldError("seeds", "A seed stands there twice: the same run would be made twice"))
    if plan.seeds and SEED in plan.axes:
        errors.append(FieldError("seeds", "The seed is an axis already: use one of the two"))
    if errors:
        raise Invalid(errors)


def _points(plan: Plan, base: Changes) -> list[Changes]:
    if plan.method == "random":
        return _random(plan, base)
    values = {name: _values(name, axis, base) for name, axis in plan.axes.items()}
    if plan.method == "one_at_a_time":
        return [{}, *({name: value} for name, axis in values.items() for value in axis)]
    return _grid(values, plan.linked)


def _grid(values: dict[str, list[Any]], linked: Sequence[Sequence[str]]) -> list[Changes]:
    """Every combination; linked axes that both have values go side by side instead."""
    columns: list[list[Changes]] = []
    done: set[str] = set()
    for name in values:
        if name in done:
            continue
        group = next(([n for n in g if n in values] for g in linked if name in g), [name])
        if len({len(values[n]) for n in group}) > 1:
            raise Invalid.one("linked", f"{' and '.join(group)} are linked and need the same number of values")
        done |= set(group)
        columns.append([dict(zip(group, row, strict=True)) for row in zip(*(values[n] for n in group), strict=True)])
    _at_most(MOST_POINTS, math.prod(map(len, columns)))
    return [{k: v for part in parts for k, v in part.items()} for parts in itertools.product(*columns)]


def _random(plan: Plan, base: Changes) -> list[Changes]:
    """`max_runs` draws; the seed is fixed so that a preview shows what will be launched."""
    draw = random.Random(0)  # noqa: S311 - a search, not a secret
    assert plan.max_runs
    return [
        {name: _draw(draw, name, axis, base) for name, axis in plan.axes.items()}
        for _ in range(4 * plan.max_runs)  # some to spare: twins are dropped
    ]


def _draw(draw: random.Random, name: str, axis: Axis, base: Changes) -> Any:
    if not isinstance(axis, Mapping):
        return draw.choice(_values(name, axis, base))
    low, high, _, log = _range(name, axis)
    value = math.exp(draw.uniform(math.log(low), math.log(high))) if log else draw.uniform(low, high)
    return _round(value, name)


def _values(name: str, axis: Axis, base: Changes) -> list[Any]:
    if not isinstance(axis, Mapping):
        if not axis:
            raise Invalid.one(f"axes.{name}", "An axis needs at least one value")
        _at_most(MAX_RUNS, len(axis))
        return [float(v) if isinstance(base[name], float) and type(v) is int else v for v in axis]
    low, high, n, log = _range(name, axis)
    shares = [i / (n - 1) for i in range(n)] if n > 1 else [0.0]
    spaced = [low ** (1 - s) * high**s if log else low + (high - low) * s for s in shares]
    return list(dict.fromkeys(_round(value, name) for value in spaced))


def _range(name: str, axis: Mapping[str, Any]) -> tuple[float, float, int, bool]:
    low, high, n, scale = axis.get("low"), axis.get("high"), axis.get("n", 3), axis.get("scale", "linear")
    numbers = all(_is_number(v) for v in (low, high)) and isinstance(n, int) and not isinstance(n, bool)
    if set(axis) - {"low", "high", "n", "scale"} or not numbers or scale not in ("linear", "log"):
        raise Invalid.one(f"axes.{name}", 'A range is {"low", "high", "n", "scale": "linear" or "log"}')
    assert low is not None
    assert high is not None
    if not low < high or n < 1 or (scale == "log" and low <= 0):
        raise Invalid.one(f"axes.{name}", "A range needs low < high and n >= 1, and low > 0 where it is logarithmic")
    _at_most(MAX_RUNS, n, f"axes.{name}")
    return float(low), float(high), n, scale == "log"


def _is_number(value: Any) -> bool:
    """A number that a setting could have; JSON's true is none, and NaN is neither larger nor smaller."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST <= value <= LARGEST


def _round(value: float, name: str) -> int | float:
    """Three significant digits, and whole numbers where the setting is one."""
    return round(value) if name in WHOLE and math.isfinite(value) else float(f"{value:.3g}")


def _link(point: Changes, linked: Sequence[Sequence[str]], base: Changes) -> Changes:
    for group in linked:
        leader = next((name for name in group if name in point), None)
        if leader is None or not _is_number(point[leader]) or not base[leader]:
            continue  # no number to keep a ratio to, which is an error of its own
        for name in group:
            if name not in point:
                point = {**point, name: _round(point[leader] * base[name] / base[leader], name)}
    return point
