"""What the threads of a worker share."""

from dataclasses import dataclass, field
from threading import Event

from celery import Celery

from app.claims import Claim
from app.db import Database
from app.leases import Lease, lease
from app.settings import Settings
from worker.device_line import DeviceLine
from worker.spare import Spares


@dataclass
class Context:
    settings: Settings
    db: Database
    celery: Celery
    name: str
    own_queue: str
    stopping: Event = field(default_factory=Event)
    # Runs and errands that compute on the device do so one at a time.
    device: DeviceLine = field(default_factory=DeviceLine)
    # A training process that waits for the next run.
    spares: Spares = field(default_factory=Spares)
    # Whether the task is at work, and on which run: the sweeper leaves both alone.
    busy: bool = False
    claim: Claim | None = None
    # How many wake-ups the task has taken.
    wakes: int = 0

    def new_lease(self) -> Lease:
        return lease(self.settings.lease_seconds)
