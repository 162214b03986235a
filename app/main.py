"""create_app(): routers, static files, error handlers - nothing else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

from app import __version__
from app.db import connect
from app.health import QueueWatch
from app.queue import waker
from app.settings import ROOT, Settings
from app.web import api, pages, problems, turns
from app.web.api import documented, health
from app.web.hub import Hub, reader
from app.web.security import Guard
from app.web.static import CachedFiles

API = "/api/v1"


def create_app(settings: Settings) -> FastAPI:
    app = FastAPI(
        title="Tuneboard",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        lifespan=_lifespan,
        middleware=[Middleware(Guard, settings=settings), Middleware(GZipMiddleware, compresslevel=6)],
    )
    app.state.settings = settings
    app.state.db = connect(settings.database, round(turns.WAIT_SECONDS * 1000), durable=True)
    app.state.turns = turns.Turns()
    app.state.queue_watch = QueueWatch()
    app.state.stopping = asyncio.Event()
    app.state.wake = waker(settings.broker_url)
    app.state.hub = Hub(reader(settings, app.state.db))
    problems.install(app)
    _include_routers(app)
    app.mount("/static", CachedFiles(directory=ROOT / "app" / "static"), name="static")
    return app


def _include_routers(app: FastAPI) -> None:
    for router in api.ROUTERS:
        app.include_router(router, prefix=API, responses=documented.problems(*documented.ANY))
    app.include_router(health.probes)
    for router in pages.ROUTERS:
        app.include_router(router)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    with app.state.db.kept_open():
        yield
    app.state.hub.close()
    app.state.db.dispose()
