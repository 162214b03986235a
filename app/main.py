"""create_app(): routers, static files, error handlers - nothing else."""

from fastapi import FastAPI

from app.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    app = FastAPI(title="Tuneboard", docs_url=None, redoc_url=None)
    app.state.settings = settings
    return app
