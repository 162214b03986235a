"""Which rows are held out. Pure: the same rule serves the import's report, the check at launch and training.

A row's place is a hash of the split seed and its key (its `group` where the data set has one, else its normalised
prompt), so that equal prompts never fall on both sides and the first n of a side are the same for every larger n.
"""

import hashlib
import re
import unicodedata
from array import array
from collections.abc import Iterable
from dataclasses import dataclass

# A response shared by both sides counts as a leak from this length on: shorter ones ("Yes.") repeat honestly.
LEAK_CHARACTERS = 40


@dataclass(frozen=True)
class Split:
    """Row numbers (0-based, in file order) of each side, in split order."""

    train: list[int]
    validation: list[int]
    held_out: list[int]


def normalise(text: str) -> str:
    """Text as compared: NFKC, lower case, letters and digits only, single blanks."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"[\W_]+", " ", folded).strip()


def key(text: str) -> bytes:
    """16 bytes that stand for a text as it is compared."""
    return key_of_normalised(normalise(text))


def key_of_normalised(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def place(seed: int, row_key: bytes) -> float:
    """Where in [0, 1) a row falls."""
    digest = hashlib.blake2b(row_key, digest_size=8, salt=seed.to_bytes(8, "little")).digest()
    return int.from_bytes(digest, "big") / 2**64


def split(
    keys: Iterable[bytes],
    *,
    seed: int,
    eval_fraction: float,
    validation_fraction: float = 0.0,
    max_train_rows: int | None = None,
    max_eval_rows: int | None = None,
) -> Split:
    """Order rows by place; below `eval_fraction` is held out, the next slice is validation, the rest trains.

    `validation_fraction` is a share of the rows that are not held out.
    """
    places = array("d", (place(seed, row_key) for row_key in keys))
    order = sorted(range(len(places)), key=places.__getitem__)  # stable: equal keys stay in file order
    choosing = eval_fraction + (1 - eval_fraction) * validation_fraction
    held_out = [i for i in order if places[i] < eval_fraction]
    validation = [i for i in order if eval_fraction <= places[i] < choosing]
    train = [i for i in order if places[i] >= choosing]
    return Split(train[:max_train_rows], validation, held_out[:max_eval_rows])
