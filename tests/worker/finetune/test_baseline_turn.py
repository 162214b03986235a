"""Two runs that need the same base at once: one measures it, the other waits and finds it."""

import threading
from pathlib import Path

import pytest

from worker.finetune import baseline
from worker.finetune.errors import Stopped
from worker.finetune.reporter import Silent


class Waiting(Silent):
    """Counts how often it was said that work goes on; asked to stop, it does at the next such word."""

    def __init__(self) -> None:
        self.words, self.told, self.stop = 0, list[str](), False
        self.waits = threading.Event()

    def alive(self) -> None:
        self.words += 1
        if self.words > 1:
            self.waits.set()

    def log(self, message: str, level: str = "info") -> None:
        self.told.append(message)

    def stop_requested(self) -> bool:
        return self.stop


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline, "LOOK_SECONDS", 0.01)


def test_the_second_waits_for_the_first_and_is_alive_meanwhile(tmp_path: Path) -> None:
    second, order = Waiting(), list[str]()

    def come_second() -> None:
        with baseline.turn(tmp_path, "key", second):
            order.append("second")

    thread = threading.Thread(target=come_second)
    with baseline.turn(tmp_path, "key", Silent()):
        thread.start()
        assert second.waits.wait(10)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    assert len(second.told) == 1


def test_another_base_is_nothing_to_wait_for(tmp_path: Path) -> None:
    other = Waiting()
    with baseline.turn(tmp_path, "key", Silent()), baseline.turn(tmp_path, "other", other):
        assert other.words == 0


def test_who_waits_can_be_stopped(tmp_path: Path) -> None:
    second = Waiting()
    second.stop = True
    with baseline.turn(tmp_path, "key", Silent()), pytest.raises(Stopped), baseline.turn(tmp_path, "key", second):
        raise AssertionError("it was not its turn")


def test_the_turn_of_one_that_was_killed_is_free(tmp_path: Path) -> None:
    (tmp_path / ".key.turn").touch()
    waited = Waiting()
    with baseline.turn(tmp_path, "key", waited):
        assert waited.words == 0
    assert not list(tmp_path.iterdir()), "nothing is left of it"
