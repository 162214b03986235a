"""What to try next: beyond edges that won, winners together, linked settings apart, seeds, and what nobody touched.

Each step is a valid configuration that the study does not have yet, ready to be launched.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from app import run_config
from app.errors import Invalid
from app.run_config import LABELS
from app.study.findings import Finding, is_number, tried
from app.study.recommendations import best_of
from app.study.runs import SEED, Configuration, best
from app.study.text import listing, setting_text

ENOUGH_SEEDS = 3
# Worth a run in most studies, with a value that differs from the default; in the order in which they are offered.
UNTOUCHED: tuple[tuple[str, Any], ...] = (
    ("lora.target_modules", ["q_proj", "v_proj"]),
    ("training.lr_scheduler_type", "linear"),
    ("lora.lora_dropout", 0.1),
)
MOST_UNTOUCHED = 2


@dataclass(frozen=True)
class Next:
    """Something worth trying: `config_changes` are set on the configuration of run `of`, once for each of `seeds`."""

    text: str
    config_changes: dict[str, Any]
    of: int
    seeds: list[int] = field(default_factory=list)


def next_steps(study: Sequence[Configuration], found: Sequence[Finding], metric: str) -> list[Next]:
    winner = best(study, metric)
    if winner is None:
        return []
    steps = [
        *_beyond(found),
        *_combined(found),
        *_apart(found),
        *_replicates(winner),
        *_untouched(study, winner),
    ]
    return [step for step in steps if step.seeds or _is_new(step, study)]


def _is_new(step: Next, study: Sequence[Configuration]) -> bool:
    """Whether it can be launched, and nobody has."""
    source = next(c for c in study if any(run.id == step.of for run in c.runs))
    wanted = {**source.first.settings, **step.config_changes}
    return _is_valid(step.config_changes) and not any(
        all(c.first.settings.get(name) == value for name, value in wanted.items() if name != SEED) for c in study
    )


def _is_valid(changes: dict[str, Any]) -> bool:
    try:
        run_config.parse(run_config.nest({"model.base_model": "any", "data.dataset": 1, **changes}))
    except Invalid:
        return False
    return True


def _beyond(found: Sequence[Finding]) -> Iterator[Next]:
    """As far beyond the edge that won as the edge is from where the study began."""
    for f in (f for f in found if f.at_edge and f.from_value and f.to_value):
        value = _rounded(f.to_value * f.to_value / f.from_value, f.to_value)
        changes = {f.factor: value}
        for name in f.linked:
            follower = f.other.first.settings[name]
            changes[name] = _rounded(follower * value / f.to_value, follower)
        where = "largest" if f.to_value == max(tried(f, found)) else "smallest"
        said = f"{setting_text(f.to_value)} was the {where} tried and the best"
        yield Next(f"{LABELS[f.factor]} {setting_text(value)}: {said}.", changes, f.baseline.first.id)


def _rounded(value: float, like: float) -> float:
    """In the type and at the size of a value that was tried."""
    if isinstance(like, int):
        return round(value)
    return float(round(value)) if value > 5 else float(f"{value:.2g}")


def _combined(found: Sequence[Finding]) -> Iterator[Next]:
    """The better values of different factors at once."""
    factors = {f.factor: [g for g in found if g.better and g.factor == f.factor] for f in found if f.better}
    tops = [best_of(group) for group in factors.values()]
    if len({f.baseline.first.id for f in tops}) != 1 or len(tops) < 2:
        return
    changes = {name: f.other.first.settings[name] for f in tops for name in (f.factor, *f.linked)}
    words = listing([f"{LABELS[f.factor]} {setting_text(f.to_value)}" for f in tops])
    yield Next(f"{words} together: each was better alone.", changes, tops[0].baseline.first.id)


def _apart(found: Sequence[Finding]) -> Iterator[Next]:
    """Of settings that only moved together, the leader alone: then they can be told apart."""
    linked = [f for f in found if f.linked and f.better is not None]
    for f in linked[:1] if not any(g.better for g in linked) else [best_of([g for g in linked if g.better])]:
        kept = " and ".join(f"{LABELS[n]} {setting_text(f.baseline.first.settings[n])}" for n in f.linked)
        names = listing([LABELS[f.factor], *(LABELS[n] for n in f.linked)])
        said = f"{LABELS[f.factor]} {setting_text(f.to_value)} with {kept}: {names} have only been changed together."
        yield Next(said, {f.factor: f.to_value}, f.baseline.first.id)


def _replicates(winner: Configuration) -> Iterator[Next]:
    missing = ENOUGH_SEEDS - len(winner.runs)
    if missing <= 0:
        return
    used = [run.settings.get(SEED, 42) for run in winner.runs]
    first = max(seed for seed in used if is_number(seed)) + 1
    seeds = list(range(first, first + missing))
    words = listing([str(seed) for seed in seeds])
    said = f"{winner.first.name} again with {'seed' if missing == 1 else 'seeds'} {words}: {_why(winner)}."
    yield Next(said, {}, winner.first.id, seeds)


def _why(winner: Configuration) -> str:
    if len(winner.runs) == 1:
        return "its spread over seeds is unknown"
    return f"{len(winner.runs)} seeds tell little of its spread"


def _untouched(study: Sequence[Configuration], winner: Configuration) -> Iterator[Next]:
    """Settings that every configuration has alike."""
    offered = 0
    for name, value in UNTOUCHED:
        values = [c.first.settings.get(name) for c in study]
        if offered < MOST_UNTOUCHED and all(v == values[0] for v in values) and values[0] != value:
            offered += 1
            said = f"{LABELS[name]} {setting_text(value)}: {_same(values[0])}."
            yield Next(said, {name: value}, winner.first.id)


def _same(value: Any) -> str:
    return "no run says that it was varied" if value is None else f"every run so far has {setting_text(value)}"
