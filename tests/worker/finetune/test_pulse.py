"""Signs of life during one long call: while it works, and not while it waits for what never comes."""

import subprocess
import sys

import pytest

# In a process of its own: what counts is the time of all its threads, and earlier tests may have left some.
CALL = """
import threading, time
from worker.finetune import pulse
from worker.finetune.reporter import Silent

class Counting(Silent):
    said = threading.Event()
    def alive(self):
        self.said.set()

def compute(said):
    deadline = time.monotonic() + 20
    while not said.is_set() and time.monotonic() < deadline:
        sum(range(1000))

def wait(said):
    said.wait(0.5)

pulse.SECONDS = 0.05
reporter = Counting()
with pulse.pulse(reporter):
    {doing}(reporter.said)
print(reporter.said.is_set())
"""


@pytest.mark.parametrize(("doing", "said"), [("compute", "True"), ("wait", "False")])
def test_work_is_heard_and_waiting_is_not(doing: str, said: str) -> None:
    call = [sys.executable, "-c", CALL.replace("{doing}", doing)]
    assert subprocess.run(call, capture_output=True, text=True, check=True).stdout.strip() == said
