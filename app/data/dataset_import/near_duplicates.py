"""Held-out prompts that stand in the training rows almost word for word.

Two prompts are near duplicates when their sets of words have a Jaccard similarity of 0.8 or more: shared words divided
by all words. Found by prefix filtering (Chaudhuri et al. 2006; Bayardo et al. 2007): with words in one order, rarest
first, two such sets share one of their first n - ceil(0.8 n) + 1 words, so only prompts that share a rare word meet.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from pathlib import Path

from app.data.duplicates import MOST_PAIRS

THRESHOLD_TENTHS = 8
THRESHOLD = THRESHOLD_TENTHS / 10

# Memory: words of held-out prompts that are kept. Time: pairs of prompts that are looked at. Beyond these the count is
# one of the first held-out rows, in the order in which runs use them, or a lower bound; the result says so.
MAX_WORDS = 1_000_000
MAX_PAIRS = 20_000_000
# Inside the training rows it is only for information, and must not make an import wait.
MAX_PAIRS_INSIDE = 3_000_000


@dataclass
class NearDuplicates:
    rows: int = 0  # held-out rows that have a near duplicate among the training rows
    checked: int = 0  # held-out rows that were compared
    complete: bool = True  # all held-out rows were compared with all training rows
    example: tuple[int, int] | None = None  # row numbers, 0-based: held out, trained on
    pairs: list[tuple[int, int]] = field(default_factory=list)  # the first of such, to be shown


@dataclass
class _Index:
    """Words of the held-out prompts, and for each word the rows that have it in their prefix."""

    words: dict[int, frozenset[str]]
    counts: Counter[str]
    rows_with: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for row, words in self.words.items():
            for word in self.prefix(words):
                self.rows_with.setdefault(word, []).append(row)

    def prefix(self, words: frozenset[str]) -> list[str]:
        ordered = sorted(words, key=lambda word: (self.counts[word], word))
        return ordered[: len(words) - _at_least(len(words)) + 1]


def find(prompts: Path, train: Sequence[int], held_out: Sequence[int]) -> NearDuplicates:
    """Compare across the split; `prompts` has one normalised prompt a line, sides are row numbers in split order."""
    words = _held_out_words(prompts, held_out)
    index = _Index(words, Counter(word for row in words.values() for word in row))
    result = NearDuplicates(checked=len(words), complete=len(words) == len(held_out))
    trained = bytearray(1 + max((*train, *held_out), default=0))
    for row in train:
        trained[row] = 1
    budget = MAX_PAIRS
    with prompts.open(encoding="utf-8") as lines:
        for row, line in enumerate(lines):
            if not index.words:  # each has been found already
                break
            if trained[row]:
                budget -= _compare(row, frozenset(line.split()), index, result)
            if budget < 0:
                result.complete = False
                break
    return result


def find_inside(prompts: Path, train: Sequence[int]) -> NearDuplicates:
    """Training rows that nearly repeat, or repeat, an earlier training row: `rows` of those `checked`."""
    words = _held_out_words(prompts, train)
    index = _Index(dict(words), Counter(word for row in words.values() for word in row))
    result = NearDuplicates(checked=len(words), complete=len(words) == len(train))
    budget = MAX_PAIRS_INSIDE
    for row in sorted(words):
        index.words.pop(row, None)  # not with itself, nor with what came before
        budget -= _compare(row, words[row], index, result)
        if budget < 0:
            result.complete = False
            break
    return result


def _held_out_words(prompts: Path, held_out: Sequence[int]) -> dict[int, frozenset[str]]:
    """The words of held-out rows, of as many as fit, first in split order."""
    rank = {row: place for place, row in enumerate(held_out)}
    found: dict[int, frozenset[str]] = {}
    last_first: list[tuple[int, int]] = []
    size = 0
    with prompts.open(encoding="utf-8") as lines:
        for row, line in enumerate(lines):
            if row in rank:
                found[row] = frozenset(line.split())
                heappush(last_first, (-rank[row], row))
                size += len(found[row])
            while size > MAX_WORDS:
                size -= len(found.pop(heappop(last_first)[1]))
    return found


def _compare(row: int, words: frozenset[str], index: _Index, result: NearDuplicates) -> int:
    """Count and forget the held-out rows that `row` nearly repeats; answers how many pairs were looked at."""
    looked_at = 0
    for word in index.prefix(words):
        for other in index.rows_with.get(word, ()):
            looked_at += 1
            theirs = index.words.get(other)
            if theirs is not None and _alike(words, theirs):
                del index.words[other]
                result.rows += 1
                result.example = result.example or (other, row)
                if len(result.pairs) < MOST_PAIRS:
                    result.pairs.append((other, row))
    return looked_at


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    if min(len(one), len(other)) < _at_least(max(len(one), len(other))):
        return False
    shared = len(one & other)
    return 10 * shared >= THRESHOLD_TENTHS * (len(one) + len(other) - shared) and shared > 0


def _at_least(size: int) -> int:
    """ceil(0.8 size): as many words must be shared with a near duplicate."""
    return -(-THRESHOLD_TENTHS * size // 10)
