"""Whether an attempt that ended without a result is followed by another, and when.

What counts are the attempts since the run last got further than ever before, or since a person asked for another one:
progress, and a person, forgive everything.
"""

from collections.abc import Collection

from sqlmodel import Session, col, select

from app import claims
from app.claims import Claim
from app.config_sections import TrainingConfig
from app.errors import RunError
from app.leases import lease
from app.models import Attempt, Run
from app.run_config import parse
from app.status import RunStatus

# So often may an attempt die without getting any further than the ones before it.
MAX_DEATHS = 3
# So often is an error that may pass waited for; each pause is twice the one before.
MAX_PAUSES = 3


def died(session: Session, claim: Claim, error: RunError) -> RunStatus:
    """Queued again at once; failed as a crash loop after MAX_DEATHS in a row that got no further."""
    claims.cancel_requested(session, claim)  # raises where the run is no longer ours, before anything is counted
    claims.update_attempt(session, claim, {"died": True, "reason": error.title})
    deaths = [attempt for attempt in _since_progress(session, claim) if attempt.died]
    if len(deaths) >= MAX_DEATHS:
        return claims.fail(session, claim, _crash_loop(deaths, error), last=error)
    return claims.requeue(session, claim, error.title, error.code)


def pause(session: Session, claim: Claim, error: RunError, counted: Collection[str], seconds: float) -> RunStatus:
    """Queued again after `seconds`, then twice and four times that; failed when that did not help.

    `counted` are the causes of which each has had its pause.
    """
    claims.cancel_requested(session, claim)
    claims.update_attempt(session, claim, {"cause": error.code})
    alike = [attempt for attempt in _since_progress(session, claim) if attempt.cause in counted]
    if len(alike) > MAX_PAUSES:
        often = f"{error.detail} {_numbers(alike)} ended like this or alike, with a pause between them."
        return claims.fail(session, claim, RunError(error.code, error.title, often.strip(), error.hint))
    after = lease(seconds * 2 ** (len(alike) - 1))
    return claims.requeue(session, claim, error.title, error.code, after)


def halve(session: Session, claim: Claim, error: RunError) -> RunStatus:
    """Out of memory: once more with half the rows in a forward pass and twice the passes, where that can be."""
    claims.cancel_requested(session, claim)
    run = session.get_one(Run, claim.run_id, populate_existing=True)
    training = parse(run.config).training
    if not training.auto_find_batch_size or run.batch_divisor > 1 or not _can_halve(training):
        return claims.fail(session, claim, error)
    claims.update_run(session, claim, {"batch_divisor": 2, "warnings": [*run.warnings, _halved(training)]})
    return claims.requeue(session, claim, error.title, error.code)


def _can_halve(training: TrainingConfig) -> bool:
    return training.max_tokens_per_step is not None or training.per_device_train_batch_size > 1


def _since_progress(session: Session, claim: Claim) -> list[Attempt]:
    """The attempts that count, the present one included."""
    forgiven = session.exec(select(Run.forgiven).where(Run.id == claim.run_id)).one()
    mine = select(Attempt).where(Attempt.run_id == claim.run_id, Attempt.number > forgiven)
    counted: list[Attempt] = []
    furthest = -1
    for attempt in session.exec(mine.order_by(col(Attempt.number)), execution_options={"populate_existing": True}):
        if attempt.last_step > furthest:
            counted, furthest = [], attempt.last_step
        counted.append(attempt)
    return counted


def _crash_loop(deaths: list[Attempt], error: RunError) -> RunError:
    """What the deaths were and where; the advice is that of the last one."""
    furthest = max(attempt.last_step for attempt in deaths)
    each = " ".join(f"{_numbers(alike)}: {reason}." for reason, alike in _by_reason(deaths).items())
    return RunError(
        "crash_loop",
        f"It died {len(deaths)} times without getting beyond step {furthest}",
        f"{each} {error.detail}",
        error.hint,
    )


def _by_reason(attempts: list[Attempt]) -> dict[str, list[Attempt]]:
    """In the order in which each reason first came."""
    reasons = dict.fromkeys(attempt.reason for attempt in attempts)
    return {reason: [attempt for attempt in attempts if attempt.reason == reason] for reason in reasons}


def _numbers(attempts: list[Attempt]) -> str:
    """`Attempt 2`, `Attempts 1, 2 and 4`."""
    *most, last = [str(attempt.number) for attempt in attempts]
    return f"Attempts {', '.join(most)} and {last}" if most else f"Attempt {last}"


def _halved(training: TrainingConfig) -> str:
    rows, passes = training.per_device_train_batch_size, training.gradient_accumulation_steps
    if training.max_tokens_per_step is not None:
        return "Out of memory: continued with half the rows in a pass and twice the passes. No step sees other rows."
    return (
        f"Out of memory with a batch size of {rows}: continued with {-(-rows // 2)} and {2 * passes} accumulation "
        f"steps instead of {passes}. Each step still sees the same {rows * passes} rows."
    )
