"""The REST API, /api/v1: every page's doings through the same functions. Each module has one router."""

from app.web.api import (
    compare,
    config,
    datasets,
    errands,
    events,
    experiments,
    health,
    history,
    imports,
    leaderboard,
    models,
    queue,
    reports,
    run_files,
    runs,
    sweeps,
)

ROUTERS = (
    config.router,
    models.router,
    datasets.router,
    errands.router,
    experiments.router,
    reports.router,
    imports.router,
    runs.router,
    sweeps.router,
    run_files.router,
    history.router,
    events.router,
    queue.router,
    leaderboard.router,
    compare.router,
    health.router,
)
