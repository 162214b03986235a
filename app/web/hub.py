"""Live updates: one poller of the database per process, however many pages are open, feeding every open stream."""


class Hub:
    def close(self) -> None:
        """End every stream; safe to call from a signal handler."""
