"""Which way a run goes from rows to a loss: chosen once, before anything is measured, and recorded with the run."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from worker.finetune.reporter import Reporter


@dataclass(frozen=True)
class Paths:
    """Each as plain as can be unless it was found to be exact with this very model (see packing).

    `chunk` is how many scored tokens have their logits at once; None: all of them. `said` has a few words on each way,
    under the short names of app.computing, and grows as the run goes on.
    """

    packed: bool = False  # the rows of a batch in one line
    scored: bool = False  # logits of scored tokens only
    chunk: int | None = None
    said: dict[str, str] = field(default_factory=dict)

    def note(self, more: Mapping[str, str], reporter: Reporter) -> None:
        """Add what has been chosen since to the record, and tell of it."""
        self.said.update(more)
        reporter.environment({"paths": dict(self.said)})


PLAIN = Paths()
