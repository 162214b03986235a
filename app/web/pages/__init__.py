"""The pages: server-rendered, usable without scripts. Each reads rows and shows a template; forms post and redirect."""

from app.web.pages import (
    chip,
    compare,
    compare_rows,
    compare_values,
    dataset,
    datasets,
    docs,
    experiments,
    imports,
    launch,
    leaderboard,
    login,
    queue,
    reports,
    run,
    selection,
    tryouts,
    views,
)

ROUTERS = (
    leaderboard.router,
    selection.router,
    views.router,
    launch.router,  # before the run's: its path would be taken for an id
    run.router,
    compare.router,
    compare_rows.router,
    compare_values.router,
    tryouts.router,
    experiments.router,
    reports.router,
    imports.router,
    datasets.router,
    dataset.router,
    queue.router,
    login.router,
    chip.router,
    docs.router,
)
