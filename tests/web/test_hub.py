"""The hub: one poller for all streams, ends with them, and closes them at once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

import pytest
from sqlalchemy.exc import OperationalError

from app.live import News
from app.web import hub as hub_module
from app.web.hub import Hub, parse_event_id

T = TypeVar("T")


class Table:
    """Stands for the database: runs and the step each is at."""

    def __init__(self) -> None:
        self.steps: dict[int, int] = {1: 0, 2: 0}
        self.status: dict[int, str] = {1: "running", 2: "queued"}
        self.reads = 0
        self.faults = 0

    def read(self, ids: Iterable[int], active: bool, since: Mapping[int, int]) -> list[News]:
        self.reads += 1
        if self.faults:
            self.faults -= 1
            raise OperationalError("SELECT", {}, Exception("disk I/O error"))
        wanted = set(ids) | ({i for i, s in self.status.items() if s in ("running", "queued")} if active else set())
        return [self._news(run_id, since) for run_id in sorted(wanted)]

    def _news(self, run_id: int, since: Mapping[int, int]) -> News:
        if run_id not in self.steps:
            return News(run_id, gone=True)
        step = self.steps[run_id]
        points = {"l": [[at, 0.0, 0.0, 0.0] for at in range(since.get(run_id, step), step + 1)]}
        return News(run_id, {"status": self.status[run_id], "progress": {"step": step}}, points)


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "POLL_SECONDS", 0.01)


def run(scenario: Callable[[], Awaitable[T]]) -> T:
    async def limited() -> T:
        return await asyncio.wait_for(scenario(), 10)

    return asyncio.run(limited())


async def take(stream: AsyncIterator[tuple[str, News]]) -> tuple[str, News]:
    return await anext(stream)


def test_a_stream_starts_with_how_things_are_and_goes_on_with_what_changes() -> None:
    async def scenario() -> None:
        table = Table()
        hub = Hub(table.read)
        stream = hub.follow([1])
        event_id, news = await take(stream)
        assert (event_id, news.step, news.points) == ("1.0", 0, {})
        table.steps[1] = 3
        event_id, news = await take(stream)
        assert (event_id, news.step) == ("1.3", 3)
        assert [point[0] for point in news.points["l"]] == [1, 2, 3]
        table.steps[2] = 9  # not this stream's
        table.status[1] = "completed"
        assert (await take(stream))[1].state["status"] == "completed"

    run(scenario)


def test_who_comes_back_gets_what_was_missed() -> None:
    async def scenario() -> None:
        table = Table()
        table.steps[1] = 5
        _, news = await take(Hub(table.read).follow([1], "1.3"))
        assert [point[0] for point in news.points["l"]] == [3, 4, 5]

    run(scenario)


@pytest.mark.parametrize("text", ["", "x", "1", "1.", "1.2.3", "-", "1.2-x", "1.²", "1." + "9" * 30])
def test_an_id_that_is_not_ours_is_no_id(text: str) -> None:
    assert parse_event_id(text) == {}


def test_an_id_names_the_step_of_each_run() -> None:
    assert parse_event_id("1.3-20.0") == {1: 3, 20: 0}


def test_without_a_list_all_that_is_active_is_followed_to_its_end() -> None:
    async def scenario() -> None:
        table = Table()
        stream = Hub(table.read).follow(None)
        assert {(await take(stream))[1].run_id, (await take(stream))[1].run_id} == {1, 2}
        table.status[1] = "failed"
        assert (await take(stream))[1].state["status"] == "failed"
        table.steps[3], table.status[3] = 0, "queued"
        assert (await take(stream))[1].run_id == 3
        del table.steps[2], table.status[2]
        assert (await take(stream))[1].gone

    run(scenario)


def test_many_streams_share_one_poller_that_ends_with_them() -> None:
    async def scenario() -> None:
        table = Table()
        hub = Hub(table.read)
        streams = [hub.follow([1]) for _ in range(50)]
        for stream in streams:
            await take(stream)
        table.reads = 0
        await asyncio.sleep(0.2)
        assert table.reads <= 30, "one read a tick, however many listen"
        for stream in streams:
            await stream.aclose()  # type: ignore[attr-defined]
        await asyncio.sleep(0.1)
        table.reads = 0
        await asyncio.sleep(0.1)
        assert table.reads == 0

    run(scenario)


def test_a_reader_that_sleeps_finds_one_change_a_run() -> None:
    async def scenario() -> None:
        table = Table()
        stream = Hub(table.read).follow([1])
        await take(stream)
        for step in (1, 2, 3):
            table.steps[1] = step
            await asyncio.sleep(0.05)
        _, news = await take(stream)
        assert news.step == 3
        assert [point[0] for point in news.points["l"]] == [1, 2, 3]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(take(stream), 0.1)

    run(scenario)


def test_closing_ends_every_stream_at_once() -> None:
    async def scenario() -> None:
        hub = Hub(Table().read)
        streams = [hub.follow([1]), hub.follow(None)]
        for stream in streams:
            await take(stream)
        ends = [asyncio.create_task(_drain(stream)) for stream in streams]
        await asyncio.sleep(0.05)
        hub.close()
        await asyncio.wait_for(asyncio.gather(*ends), 1)
        assert await _drain(hub.follow([1])) == 0, "and none begins"

    run(scenario)


async def _drain(stream: AsyncIterator[tuple[str, News]]) -> int:
    return len([item async for item in stream])


def test_a_database_that_cannot_be_read_for_a_moment_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        table = Table()
        stream = Hub(table.read).follow([1])
        await take(stream)
        table.faults = 2
        await asyncio.sleep(0.05)
        table.steps[1] = 7
        assert (await take(stream))[1].step == 7

    run(scenario)
    assert "live updates" in caplog.text
