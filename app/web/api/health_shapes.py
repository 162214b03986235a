"""What the API answers of the machine: its workers, versions, and whether every part is up."""

from datetime import datetime

from pydantic import Field

from app.web.api.shapes import Shape


class Worker(Shape):
    name: str
    hostname: str
    version: str
    device: str
    alive: bool
    memory_total_bytes: int | None
    memory_used_bytes: int | None
    run: int | None = Field(description="The run it works on.")
    started_at: datetime


class Version(Shape):
    version: str
    api: str
    python: str
    sqlite: str


class Part(Shape):
    up: bool
    state: str


class Readiness(Shape):
    ready: bool
    parts: dict[str, Part]
