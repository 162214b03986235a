"""The real process that waits: what it loads, that it leaves a GPU alone, and a run forked from it."""

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from app.settings import SAMPLES
from tests.worker._spares import wait_for
from worker import warm
from worker.child import Child, training_environment
from worker.spare import Spare

CONFIG = {
    "model": {"base_model": "sample/clinic-2m"},
    "data": {"dataset": 1, "max_length": 64, "eval_fraction": 0.2},
    "lora": {"lora_dropout": 0.1},
    "training": {"max_steps": 3},
    "evaluation": {"max_new_tokens": 4},
}

# Does what the process does before it waits, and tells what became of it.
LOADED = """
import json, os, sys
from worker import warm
def priority(): return os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0)
before = priority()
warm._load(gpu=sys.argv[1] == "gpu")
import torch
print(json.dumps({
    "modules": sorted(sys.modules),
    "cuda": torch.cuda.is_initialized(),
    "open": [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")],
    "as_before": priority() == before,
}))
"""  # noqa: E501


def loaded(kind: str) -> dict[str, Any]:
    environment = training_environment() | {"CUDA_VISIBLE_DEVICES": "0"}
    answer = subprocess.check_output([sys.executable, "-c", LOADED, kind], env=environment, text=True)
    found: dict[str, Any] = json.loads(answer.splitlines()[-1])
    return found


def test_beside_a_gpu_it_has_loaded_all_but_what_would_touch_it() -> None:
    found = loaded("gpu")
    modules = set(found["modules"])
    assert {"torch", "transformers.modeling_utils", "torch._dynamo", "tokenizers", "sacrebleu"} <= modules
    assert not {"bitsandbytes", "peft"} & modules
    assert not found["cuda"]
    assert not [path for path in found["open"] if path.startswith("/dev/nvidia")]
    assert found["as_before"]


# What the system says of its session: before, within and after, each as soon as it may be changed again.
NICE = """
from worker import warm
print(warm.AUTOGROUP.read_text().split()[-1])
with warm._last_to_compute():
    print(warm.AUTOGROUP.read_text().split()[-1])
print(warm.AUTOGROUP.read_text().split()[-1])
"""


LED = [sys.executable, "-c", NICE]
JOINED = ["sh", "-c", '"$@"; exit $?', "sh", *LED]  # the shell leads the session


@pytest.mark.skipif(not warm.AUTOGROUP.exists(), reason="this system shares its cores out among processes alone")
@pytest.mark.parametrize(("command", "within"), [(LED, "19"), (JOINED, "0")], ids=["its own", "another's"])
def test_while_it_loads_its_session_leaves_the_cores_to_others(command: list[str], within: str) -> None:
    """A session that others are in is left alone."""
    told = subprocess.check_output(command, text=True, start_new_session=True).split()
    assert told == ["0", within, "0"]


def arguments(folder: Path, name: str) -> list[str]:
    (folder / name).mkdir()
    options = {
        "--output-dir": folder / name,
        "--dataset": folder / "rows.jsonl",
        "--model": SAMPLES / "models" / "clinic-2m",
        "--baselines-dir": folder / name,
        "--lock": folder / name / "lock",
        "--report-fd": "{fd}",
        "--parent-pid": os.getpid(),
    }
    return [str(folder / "config.json"), *(str(part) for pair in options.items() for part in pair)]


def follow(child: Child) -> dict[str, Any]:
    """Until its end; the environment that it reported."""
    reported: dict[str, Any] = {}
    failure = None
    while child.exit_code is None:
        for event in child.events(0.1):
            if event.event == "environment":
                reported = event.values
            failure = event if event.event == "failure" else failure
    assert (child.exit_code, failure) == (0, None)
    return reported


def losses(folder: Path) -> list[tuple[str, float]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    wanted = ("train/loss", "train/grad_norm", "eval/loss", "eval/perplexity")
    return [(line["name"], line["value"]) for line in lines if line["name"] in wanted]


def test_a_run_forked_from_it_is_the_run_of_a_new_process_to_the_last_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # where a sum is cut among threads may change its last bits
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")  # the tests share their cores
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    rows = ({"instruction": f"What is item {n}?", "response": f"It comes before {n + 1}."} for n in range(20))
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with closing(Spare(tmp_path / "spare.log", gpu=False)) as waiting:
        command = ["-m", "worker", *arguments(tmp_path, "cold")]
        with closing(Child.start(command, environment=training_environment(), output=tmp_path / "cold.log")) as new:
            in_new = follow(new)
        wait_for(waiting.is_ready)
        with closing(waiting.begin(arguments(tmp_path, "warm"), tmp_path / "warm.log")) as forked:
            in_forked = follow(forked)
        with closing(waiting.begin(arguments(tmp_path, "again"), tmp_path / "again.log")) as forked:
            in_next = follow(forked)
    assert losses(tmp_path / "cold") == losses(tmp_path / "warm") == losses(tmp_path / "again")
    adapters = {(tmp_path / name / "artifacts" / "adapter.zip").read_bytes() for name in ("cold", "warm", "again")}
    assert len(adapters) == 1
    assert in_new == in_forked == in_next
