"""Live updates: one poller of the database per process, however many pages are open, feeding every open stream.

A stream that is read slowly does not pile up: what waits for it is one change a run, and a newer change joins it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from sqlalchemy.exc import SQLAlchemyError

from app.db import Database
from app.live import News, fresh, joined, read_news
from app.settings import Settings
from app.status import ENDED

POLL_SECONDS = 0.5

log = logging.getLogger(__name__)

# (runs to watch, whether to watch all that is active, the last step seen of each run) -> how they are now
Read = Callable[[Iterable[int], bool, Mapping[int, int]], list[News]]


def reader(settings: Settings, database: Database) -> Read:
    def read(ids: Iterable[int], active: bool, since: Mapping[int, int]) -> list[News]:
        with database.reading() as session:
            return read_news(session, settings, ids, active=active, since=since)

    return read


@dataclass(eq=False)
class Stream:
    """One open page: the runs it watches (None: all that is active), where it is in each, and what waits for it."""

    runs: frozenset[int] | None
    steps: dict[int, int]
    waiting: dict[int, News] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, news: News) -> None:
        if self.runs is None or news.run_id in self.runs:
            earlier = self.waiting.get(news.run_id)
            self.waiting[news.run_id] = joined(earlier, news) if earlier else news
            self.changed.set()

    def take(self) -> list[News]:
        self.changed.clear()
        taken, self.waiting = list(self.waiting.values()), {}
        return taken

    @property
    def event_id(self) -> str:
        """Where this stream is, so that a browser that comes back gets what it missed: `run.step-run.step`."""
        return "-".join(f"{run_id}.{step}" for run_id, step in sorted(self.steps.items()))


def parse_event_id(text: str) -> dict[int, int]:
    """The steps of a Last-Event-ID; empty for anything that is not one of ours."""
    parts = [part.split(".") for part in text.split("-")]
    if all(len(part) == 2 and all(p.isascii() and p.isdigit() and len(p) < 19 for p in part) for part in parts):
        return {int(run_id): int(step) for run_id, step in parts}
    return {}


class Hub:
    def __init__(self, read: Read) -> None:
        self._read = read
        self._streams: set[Stream] = set()
        self._seen: dict[int, News] = {}
        self._poller: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    async def follow(self, runs: Iterable[int] | None, last_event_id: str = "") -> AsyncIterator[tuple[str, News]]:
        """How each run is now, then every change, each with an event id; ends when the hub is closed."""
        stream = Stream(None if runs is None else frozenset(runs), parse_event_id(last_event_id))
        self._streams.add(stream)
        self._loop = asyncio.get_running_loop()
        try:
            await self._greet(stream)
            if self._poller is None or self._poller.done():
                self._poller = self._loop.create_task(self._poll())
            while not self._closed:
                await stream.changed.wait()
                for news in stream.take():
                    stream.steps[news.run_id] = news.step
                    yield stream.event_id, news
        finally:
            self._streams.discard(stream)

    def close(self) -> None:
        """End every stream; safe to call from a signal handler."""
        self._closed = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        if self._poller is not None:
            self._poller.cancel()
        for stream in self._streams:
            stream.changed.set()

    async def _greet(self, stream: Stream) -> None:
        """What a page gets at once, as something may have changed since it was made; its steps say what it missed.

        Without a step it gets no points: it has just read the series.
        """
        for news in await asyncio.to_thread(self._read, stream.runs or (), stream.runs is None, stream.steps):
            stream.offer(news if news.run_id in stream.steps else replace(news, points={}))
            self._seen.setdefault(news.run_id, news)

    async def _poll(self) -> None:
        """For as long as anybody listens."""
        while self._streams and not self._closed:
            await asyncio.sleep(POLL_SECONDS)
            try:
                found = await asyncio.to_thread(self._read, *self._watched())
            except SQLAlchemyError:
                log.warning("The database could not be read for live updates; trying again", exc_info=True)
                continue
            for news in found:
                self._publish(news)
            self._forget()
        self._seen.clear()

    def _watched(self) -> tuple[set[int], bool, dict[int, int]]:
        """What `_seen` holds stays watched: whoever watches all that is active hears how a run ends."""
        listed = [stream.runs for stream in self._streams if stream.runs is not None]
        steps = {run_id: news.read_on for run_id, news in self._seen.items()}
        return set(self._seen).union(*listed), len(listed) < len(self._streams), steps

    def _publish(self, news: News) -> None:
        changed = fresh(self._seen.get(news.run_id), news)
        self._seen[news.run_id] = news
        if changed is not None:
            for stream in self._streams:
                stream.offer(changed)

    def _forget(self) -> None:
        """Runs that have ended and that no stream names."""
        named = frozenset[int]().union(*(stream.runs for stream in self._streams if stream.runs))
        for run_id, news in list(self._seen.items()):
            if run_id not in named and (news.gone or news.state["status"] in ENDED):
                del self._seen[run_id]
