"""The states of a run and the ways between them, where a cancel is a request and not a state; those of an errand."""

from enum import StrEnum


class RunStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED})

# From each state, where a run may go: an attempt that is lost goes back to the queue, and so does a retry.
TRANSITIONS: dict[RunStatus, frozenset[RunStatus]] = {
    RunStatus.QUEUED: frozenset({RunStatus.RUNNING, RunStatus.CANCELLED}),
    RunStatus.RUNNING: frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.QUEUED}),
    RunStatus.COMPLETED: frozenset(),
    RunStatus.FAILED: frozenset({RunStatus.QUEUED}),
    RunStatus.CANCELLED: frozenset({RunStatus.QUEUED}),
}

# What a running run is busy with: text for people, never branched on by the server.
STAGES = ("preparing", "baseline", "training", "evaluating", "saving")
# Of a run whose lease is over while its lock is held: a second process beside that one would be worse.
STALLED = "no word from its worker, its process still lives"


class ErrandStatus(StrEnum):
    """Of a small job beside training; unlike a run's, its cancel takes effect at once."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
