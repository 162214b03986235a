"""The REST API, /api/v1: every page's doings through the same functions. Each module has one router."""

from app.web.api import config, experiments, health, leaderboard, queue, run_files, runs

ROUTERS = (
    config.router,
    experiments.router,
    runs.router,
    run_files.router,
    queue.router,
    leaderboard.router,
    health.router,
)
