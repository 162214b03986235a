"""What ends an attempt without a result, by code, and what follows from it: the one table of causes."""

from enum import Enum

from sqlmodel import Session

from app import claims, retries
from app.claims import Claim
from app.errors import RunError
from app.settings import Settings
from app.status import RunStatus


class Kind(Enum):
    OUTSIDE = "a death from outside: again at once, until three in a row got no further"
    MAY_PASS = "an error that may pass: again after a pause of 10, 20 and 40 s, then failed"  # noqa: S105
    SMALLER = "once more with half the batch size and twice the accumulation, then failed"
    PERMANENT = "the same would happen again: failed at once"


KINDS = {
    # The process ended without a word.
    "killed": Kind.OUTSIDE,
    "crashed": Kind.OUTSIDE,
    "host_out_of_memory": Kind.OUTSIDE,
    "worker_lost": Kind.OUTSIDE,
    "hung": Kind.OUTSIDE,
    # It, or the worker, said what went wrong.
    "unexpected": Kind.MAY_PASS,
    "io_error": Kind.MAY_PASS,
    "cuda_error": Kind.MAY_PASS,
    "download_failed": Kind.MAY_PASS,
    "lock_held": Kind.MAY_PASS,
    "out_of_memory": Kind.SMALLER,
    # The machine's to mend.
    "disk_full": Kind.PERMANENT,
    "missing_library": Kind.PERMANENT,
    # The configuration's.
    "bad_config": Kind.PERMANENT,
    "bad_target_modules": Kind.PERMANENT,
    "bad_template": Kind.PERMANENT,
    "context_too_short": Kind.PERMANENT,
    "invalid": Kind.PERMANENT,
    "leakage": Kind.PERMANENT,
    "model_gated": Kind.PERMANENT,
    "model_not_found": Kind.PERMANENT,
    "nan_loss": Kind.PERMANENT,
    "not_causal_lm": Kind.PERMANENT,
    "not_safetensors": Kind.PERMANENT,
    "packing_not_exact": Kind.PERMANENT,
    "quantization_not_exact": Kind.PERMANENT,
    "tokenizer_mismatch": Kind.PERMANENT,
    "too_few_rows": Kind.PERMANENT,
    # What the others come to.
    "crash_loop": Kind.PERMANENT,
}
PASSING = frozenset(code for code, kind in KINDS.items() if kind is Kind.MAY_PASS)


def end(session: Session, claim: Claim, error: RunError, settings: Settings) -> RunStatus:
    """End the attempt with an error, and the run too, or queue it again."""
    match KINDS.get(error.code, Kind.PERMANENT):
        case Kind.OUTSIDE:
            return retries.died(session, claim, error)
        case Kind.MAY_PASS:
            return retries.pause(session, claim, error, PASSING, settings.retry_seconds)
        case Kind.SMALLER:
            return retries.halve(session, claim, error)
        case Kind.PERMANENT:
            return claims.fail(session, claim, error)
