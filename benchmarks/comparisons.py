"""All metrics and all paired comparisons of 8 systems on 250 rows: `python -m benchmarks.comparisons` prints a table.

Beside each step stands what the libraries take for the same: rouge_score's table of a longest common subsequence, and
sacrebleu's paired bootstrap (BLEU alone, 1,000 draws, every system against the first). The promise is 2 seconds in all
on two cores; importing the libraries is not part of it. On a machine that is not idle read the CPU seconds.
"""

import itertools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from rich.console import Console
from rich.table import Table
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU
from sacrebleu.significance import PairedTest

from app.data.rows import read_rows
from app.settings import SAMPLES
from app.statistics import paired
from app.statistics.significance import Difference
from worker.finetune import scoring

SYSTEMS, ROWS = 8, 250
T = TypeVar("T")
Answers = list[str]
Measured = dict[str, paired.Sample]


def answers(references: Answers, seed: int) -> Answers:
    """Each word kept or replaced by one from anywhere."""
    chance, words = random.Random(seed), " ".join(references).split()
    kept = 0.5 + 0.04 * seed
    return [" ".join(w if chance.random() < kept else chance.choice(words) for w in r.split()) for r in references]


@dataclass(frozen=True)
class Took:
    wall: float
    cpu: float

    def __add__(self, other: "Took") -> "Took":
        return Took(self.wall + other.wall, self.cpu + other.cpu)

    def __str__(self) -> str:
        return f"{self.wall:.2f} s ({self.cpu:.2f} s CPU)"


def timed(work: Callable[[], T]) -> tuple[Took, T]:
    wall, cpu = time.perf_counter(), time.process_time()
    done = work()
    return Took(time.perf_counter() - wall, time.process_time() - cpu), done


def measure(systems: list[Answers], references: Answers) -> list[paired.Side]:
    """As an evaluation does it: the metrics, and each row's part in them."""
    sides = []
    for own in systems:
        scoring.bleu(own, references)
        scoring.rouge_l(own, references)
        chance = random.Random(own[0])
        tokens = [len(r.split()) + 1 for r in references]
        nll = [chance.uniform(1.5, 3.5) * count for count in tokens]  # perplexity comes from the model
        sides.append(
            paired.Side(nll, tokens, scoring.rouge_l_rows(own, references), scoring.bleu_rows(own, references))
        )
    return sides


def compare(sides: list[paired.Side]) -> int:
    samples = [paired.samples(side.table()) for side in sides]
    return sum(len(_pair(a, b)) for a, b in itertools.combinations(samples, 2))


def _pair(a: Measured, b: Measured) -> dict[str, Difference]:
    return {name: paired.difference([a[name]], [b[name]]) for name in a}


def libraries_rouge(systems: list[Answers], references: Answers) -> None:
    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    for own in systems:
        for answer, reference in zip(own, references, strict=True):
            scorer.score(reference, answer)


def libraries_bootstrap(systems: list[Answers], references: Answers) -> None:
    named = [(str(number), own) for number, own in enumerate(systems)]
    PairedTest(named, {"BLEU": BLEU()}, [references], test_type="bs", n_samples=1000)()


def main() -> None:
    rows = itertools.islice(read_rows(SAMPLES / "data" / "clinic_pairs.jsonl"), ROWS)
    references = [row.reference for row in rows]
    systems = [answers(references, seed) for seed in range(SYSTEMS)]
    scoring.bleu(references[:2], references[:2])  # what is loaded on first use
    metrics, sides = timed(lambda: measure(systems, references))
    comparisons, count = timed(lambda: compare(sides))
    rouge, _ = timed(lambda: libraries_rouge(systems, references))
    bootstrap, _ = timed(lambda: libraries_bootstrap(systems, references))
    table = Table("", "here", "libraries", title=f"{SYSTEMS} systems, {ROWS} rows", title_justify="left", box=None)
    table.add_row("BLEU and ROUGE-L, whole and by row", str(metrics), f"{rouge}, ROUGE-L alone")
    table.add_row(f"{count} paired comparisons", str(comparisons), f"{bootstrap}, {SYSTEMS - 1} of BLEU")
    table.add_row("together", str(metrics + comparisons), "")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
