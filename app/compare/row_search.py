"""What only the texts of all rows can tell: where a word stands, and how differently a row was answered."""

from collections import Counter
from functools import lru_cache

from app.compare import words
from app.compare.answers import AnswerFile, read

Files = tuple[AnswerFile, ...]


@lru_cache(maxsize=32)
def rows_with(files: Files, text: str) -> frozenset[int]:
    """Rows in which every word of `text` is found, in the prompt, the reference or an answer; case does not matter."""
    wanted = text.casefold().split()
    found: dict[int, set[str]] = {}
    for number, file in enumerate(files):
        names = ("prompt", "reference", "base", "finetuned") if number == 0 else ("base", "finetuned")
        for _, row in read(file):
            whole = "\n".join(row[name] for name in names).casefold()
            found.setdefault(row["row"], set()).update(word for word in wanted if word in whole)
    return frozenset(row for row, has in found.items() if len(has) == len(set(wanted)))


@lru_cache(maxsize=8)
def disagreement(files: Files) -> dict[int, float]:
    """By row: 0 where all fine-tuned models say the same words, 1 where no two of them share one.

    The mean over pairs of answers of the words that only one of the two has, counted without comparing pairs: a word
    that n answers have is shared by n (n - 1) / 2 pairs.
    """
    holders: dict[int, Counter[str]] = {}
    answered: Counter[int] = Counter()
    for file in files:
        for _, row in read(file):
            answered[row["row"]] += 1
            holders.setdefault(row["row"], Counter()).update(set(words.words(row["finetuned"].lower())))
    return {row: _apart(counts, answered[row]) for row, counts in holders.items()}


def _apart(holders: Counter[str], answers: int) -> float:
    pairs_of_words = (answers - 1) * holders.total()
    shared = sum(n * (n - 1) for n in holders.values())
    return 1 - shared / pairs_of_words if pairs_of_words else 0.0
