"""What was forecast of a run when it was launched, and how far that was off."""

from markupsafe import Markup

from app.models import Run
from app.web.numbers import change, duration, gigabytes


def costs(run: Run) -> list[tuple[str, Markup]]:
    """Beside what was measured: nothing where nothing had been said, or nothing came of it."""
    said, measured = run.forecast or {}, run.resources or {}
    found = []
    if said.get("memory") and measured.get("peak_memory_bytes"):
        foretold, peak = said["memory"]["bytes"], measured["peak_memory_bytes"]
        found.append(("Peak memory as forecast", _off(gigabytes(foretold, 2), foretold, peak)))
    if said.get("time") and run.attempt <= 1 and run.started_at and run.finished_at and measured:
        foretold, took = said["time"]["seconds"], (run.finished_at - run.started_at).total_seconds()
        found.append(("Start to end as forecast", _off(duration(foretold), foretold, took)))
    return found


def _off(shown: Markup, foretold: float, measured: float) -> Markup:
    return Markup("{} <u>off by {}</u>").format(shown, change((foretold - measured) / measured, 0))
