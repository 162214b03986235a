"""Which results may be compared: the one rule, for rows of the database and for runs of a study alike."""

from typing import Protocol


class Measured(Protocol):
    """What a comparison looks at."""

    @property
    def import_id(self) -> int | None: ...
    @property
    def fingerprint(self) -> str | None: ...
    @property
    def perplexity_key(self) -> str | None: ...


def comparable(one: Measured, other: Measured, short: str) -> bool:
    """Whether a difference between two runs in the metric means anything.

    Runs measured here compare by what was asked of them: perplexity and loss within a perplexity key, the other
    metrics within a fingerprint. How results from elsewhere were measured is not known: those of one import compare.
    """
    if one.import_id is not None or other.import_id is not None:
        return one.import_id == other.import_id
    if short in ("perplexity", "loss"):
        return one.perplexity_key is not None and one.perplexity_key == other.perplexity_key
    return one.fingerprint is not None and one.fingerprint == other.fingerprint
