"""/healthz and /readyz for whoever watches the process, /workers and /version for whoever uses it."""

import platform
import sqlite3
from typing import Any

from fastapi import APIRouter, Response

from app import __version__, workers
from app.db import iso
from app.web.api import health_shapes
from app.web.api.shapes import Listed
from app.web.deps import Health, Reading

probes = APIRouter(tags=["health"])
router = APIRouter(tags=["health"])


@probes.get("/healthz", summary="Is the process up?")
async def healthz() -> dict[str, str]:
    """The process is up."""
    return {"status": "ok"}


@probes.get(
    "/readyz",
    response_model=health_shapes.Readiness,
    responses={503: {"model": health_shapes.Readiness}},
    summary="Can runs start?",
)
def readyz(look: Health, response: Response) -> dict[str, Any]:
    """Whether a run that is launched now would be stored and would start; 503 names what is missing, or stuck."""
    parts = look()
    ready = all(part.up for part in parts.values())
    if not ready:
        response.status_code = 503
    return {"ready": ready, "parts": {name: vars(part) for name, part in parts.items()}}


@router.get("/workers", response_model=Listed[health_shapes.Worker], summary="List workers")
def list_workers(session: Reading) -> dict[str, Any]:
    items = [
        {
            "name": worker.name,
            "hostname": worker.hostname,
            "version": worker.version,
            "device": worker.device,
            "alive": alive,
            "memory_total_bytes": worker.memory_total_bytes,
            "memory_used_bytes": worker.memory_used_bytes,
            "run": worker.run_id,
            "started_at": iso(worker.started_at),
        }
        for worker, alive in workers.list_workers(session)
    ]
    return {"items": items, "next_cursor": None, "total": len(items)}


@router.get("/version", response_model=health_shapes.Version, summary="Show the version")
def version() -> dict[str, str]:
    return {
        "version": __version__,
        "api": "v1",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }
