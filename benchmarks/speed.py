"""The same run and the same study, here and the plain way with transformers, peft and bitsandbytes: time and numbers.

    python -m benchmarks.speed [--only training evaluation study growth] [--threads 1 2] [--rounds 3]

Sides take turns; figures are medians, and ratios are what to read on a machine that is not idle (there the columns of
CPU seconds hold). `--tiny` runs the same code at a size that says nothing, to see that it works.
"""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import _cases, _growing, _llamafactory, _studying, _turns
from benchmarks._studying import Studied
from benchmarks._turns import OURS, PLAIN, Found, Turns

PARTS = ("training", "evaluation", "study", "growth")


SIDES = ("here", "plain")
TRAINED = ("trained on", "s", "ms a row", "measured on", "s", "ms a row")
KEPT = ("points", "written a second", "bytes each", "10 histories, ms", "page of a run, ms", "leaderboard, ms")


def table(title: str, *columns: str) -> Table:
    """As it goes into the documentation: Markdown."""
    made = Table(title=title, title_justify="left", box=box.MARKDOWN)
    for number, column in enumerate(columns):
        made.add_column(column, justify="right" if number else "left", no_wrap=True)
    return made


def training(taken: Sequence[Turns]) -> Table:
    made = table(
        "Training, useful tokens a second",
        "base, threads", "side", "tokens/s", "ratio", "tokens/CPU-s", "ratio", "perplexity after",
    )  # fmt: skip
    for turns in taken:
        ours = turns.sides[OURS]
        for name, found in turns.sides.items():
            base = f"{turns.case.name}, {turns.threads}"
            if found.refused:
                made.add_row(base, f"{name}: {found.refused}")
                continue
            cells = [*_rates(ours, found, "seconds"), *_rates(ours, found, "cpu_seconds")]
            made.add_row(base, name, *cells, "" if found.perplexity is None else f"{found.perplexity:.3f}")
    return made


def _rates(ours: Found, found: Found, clock: str) -> list[str]:
    """Tokens a second and how many times that ours is; nothing where the side does not tell this clock's time."""
    if any(clock not in answer for answer in found.trained):
        return ["", ""]
    return [f"{found.rate(clock):,.0f}", f"{ours.rate(clock) / found.rate(clock):.2f}"]


def evaluation(taken: Sequence[Turns]) -> Table:
    made = table(
        "Evaluation of one run, seconds",
        "base, threads", "side", "seconds", "ratio", "CPU-s", "ratio", "perplexity", "BLEU", "ROUGE-L",
    )  # fmt: skip
    for turns in taken:
        ours = turns.sides[OURS]
        for name in (OURS, PLAIN):
            found = turns.sides[name]
            wall, cpu, seen = found.evaluation(), found.evaluation("cpu_seconds"), found.evaluated[-1]
            ratios = f"{wall / ours.evaluation():.2f}", f"{cpu / ours.evaluation('cpu_seconds'):.2f}"
            told = f"{turns.case.name}, {turns.threads}", name, f"{wall:.2f}", ratios[0], f"{cpu:.2f}", ratios[1]
            made.add_row(*told, *(f"{seen[metric]:.4f}" for metric in ("perplexity", "bleu", "rouge_l")))
    return made


def study(taken: Mapping[str, Sequence[Studied]], threads: int) -> Table:
    """Of each side its middle round, and how many times as long the scripts take."""
    sides = [middle(rounds) for rounds in taken.values()]
    plain = middle(taken[_studying.SCRIPTS])
    made = table(f"The reference study, {len(plain.runs)} runs, threads: {threads}", "seconds", *taken)
    made.add_row("each round", *(", ".join(f"{one.seconds:.1f}" for one in rounds) for rounds in taken.values()))
    made.add_row("launch to everything finished", *(f"{side.seconds:.1f}" for side in sides))
    made.add_row("scripts take", *(f"{plain.seconds / side.seconds:.2f} times" for side in sides))
    made.add_row("CPU", *(f"{side.cpu_seconds:.1f}" for side in sides))
    made.add_row("scripts take", *(f"{plain.cpu_seconds / side.cpu_seconds:.2f} times" for side in sides))
    for part in dict.fromkeys(part for side in (plain, *sides) for part in side.parts):
        made.add_row(f"of it {part}", *(f"{side.parts[part]:.1f}" if part in side.parts else "" for side in sides))
    return made


def middle(rounds: Sequence[Studied]) -> Studied:
    """The quicker of the middle two where there is no middle."""
    return rounds[(len(rounds) - 1) // 2]


def results(ours: Studied, plain: Studied) -> Table:
    """What both sides measured of each run."""
    made = table("Its results", "run", *(f"{name} {short}" for name in ("perplexity", "ROUGE-L") for short in SIDES))
    for name, mine in ours.runs.items():
        both = mine, plain.runs[name]
        made.add_row(name, *(f"{seen[metric]:.3f}" for metric in ("perplexity", "rouge_l") for seen in both))
    return made


def growth(threads: int, show: Any, *, tiny: bool) -> None:
    factors, studies = (_growing.FACTORS[:1], (1,)) if tiny else (_growing.FACTORS, _growing.STUDIES)
    points = _growing.POINTS[:1] if tiny else _growing.POINTS
    ms = "ms a 1,000 rows"
    for title, columns, found in (
        ("Rows", ("rows", "imported, s", ms, "prepared, s", ms), _growing.rows(factors, threads)),
        ("Rows of a run", TRAINED, _growing.trained(factors, threads)),
        ("Runs of a study", ("runs", "to the report, s", "a run, s", "report, ms"), _growing.studies(studies, threads)),
        ("Metric points", KEPT, _growing.points(points)),
    ):
        made = table(title, *columns)
        for cells in found:
            made.add_row(*cells)
        show(made)


def turns(options: argparse.Namespace, show: Any) -> None:
    cases = [_cases.sample(4, 6, 8)] if options.tiny else [_cases.sample(), _cases.stories()]
    taken = [
        _turns.take(case, threads, options.rounds, options.only, options.llamafactory)
        for case in cases if case is not None
        for threads in options.threads
    ]  # fmt: skip
    if "training" in options.only:
        show(training(taken))
    if "evaluation" in options.only:
        show(evaluation(taken))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="A run and a study, here and the plain way.")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to run; default: all")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tiny", action="store_true", help="at a size that says nothing, to see that it works")
    parser.add_argument("--llamafactory", metavar="PYTHON", help="a Python that has it, as one more side of training")
    options = parser.parse_args(arguments)
    screen = Console(width=150)

    def show(made: Table) -> None:
        screen.print(made)
        screen.print()

    if options.llamafactory and not _llamafactory.is_there(options.llamafactory):
        screen.print(f"{options.llamafactory} has no LLaMA-Factory: left out")
        options.llamafactory = None
    if {"training", "evaluation"} & set(options.only):
        turns(options, show)
    for threads in options.threads if "study" in options.only else ():
        sides = _studying.study(threads, options.rounds, tiny=options.tiny)
        show(study(sides, threads))
        show(results(*(middle(sides[name]) for name in (_studying.HERE, _studying.SCRIPTS))))
    if "growth" in options.only:
        growth(min(options.threads), show, tiny=options.tiny)


if __name__ == "__main__":
    main()
