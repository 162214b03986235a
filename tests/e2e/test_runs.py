"""Runs through every real part: REST, queue, worker, 4-bit training in a child, evaluation, and back to REST."""

import hashlib
import html
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest

Json = dict[str, Any]
pytestmark = pytest.mark.slow

PROMISED_SECONDS = 5.0  # for a cancel, and for a worker that is told to stop


@pytest.fixture(scope="module")
def completed(stack: Any) -> Json:
    """The one undisturbed run that the others are held against."""
    run: Json = stack.wait_for_end(stack.launch())
    assert run["status"] == "completed", run
    return run


def losses(stack: Any, run_id: int) -> list[float]:
    [series] = stack.api("GET", f"/runs/{run_id}/metrics", params={"name": "train/loss"})["series"]
    assert series["steps"] == list(range(1, len(series["steps"]) + 1)), "every step once"
    values: list[float] = series["values"]
    return values


def test_a_run_has_results_of_base_and_adapter(completed: Json) -> None:
    results = completed["results"]
    assert set(results["base"]) >= {"perplexity", "bleu", "rouge_l", "loss"}
    assert results["finetuned"]["perplexity"] < results["base"]["perplexity"]
    change = results["finetuned"]["perplexity"] / results["base"]["perplexity"] - 1
    assert results["improvement"]["perplexity"] == pytest.approx(change)
    assert completed["progress"]["fraction"] == 1
    assert completed["progress"]["step"] == completed["progress"]["total_steps"]
    assert completed["resources"]["memory_kind"] == "rss"
    assert completed["attempt"] == 1


def test_a_run_has_series_log_predictions_and_a_place(stack: Any, completed: Json) -> None:
    run_id = completed["id"]
    assert len(losses(stack, run_id)) == completed["progress"]["total_steps"]
    lines = stack.api("GET", f"/runs/{run_id}/logs")["lines"]
    assert "Attempt 1 begins" in lines[0]
    assert "Completed" in lines[-1]
    predictions = stack.api("GET", f"/runs/{run_id}/predictions")
    assert predictions["total"] == completed["results"]["eval_rows"]
    assert {"prompt", "reference", "base", "finetuned", "scores"} <= set(predictions["items"][0])
    ranked = stack.api("GET", "/leaderboard")["items"]
    assert run_id in [item["id"] for item in ranked]


def test_what_is_downloaded_is_what_the_manifest_says(stack: Any, completed: Json) -> None:
    items = stack.api("GET", f"/runs/{completed['id']}/artifacts")["items"]
    files = {item["name"]: stack.api("GET", f"/runs/{completed['id']}/artifacts/{item['name']}") for item in items}
    assert set(files) >= {"adapter.zip", "config.json", "metrics.jsonl", "predictions.jsonl", "run.log"}
    for item in items:
        assert hashlib.sha256(files[item["name"]]).hexdigest() == item["sha256"]
    adapter = zipfile.ZipFile(BytesIO(files["adapter.zip"])).namelist()
    assert set(adapter) == {"adapter_config.json", "adapter_model.safetensors", "README.md"}


def test_the_commands_on_its_page_repeat_a_run_to_the_bit(stack: Any, completed: Json, tmp_path: Path) -> None:
    """As a reader would: copied from the page into a shell, in an empty folder, with no queue and no database."""
    page = httpx.get(f"http://127.0.0.1:{stack.settings.port}/runs/{completed['id']}", trust_env=False).text
    commands = re.search(r'aria-label="Commands that repeat the run">(.*?)</pre>', page, re.DOTALL)
    assert commands
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    shell = ["bash", "-euc", html.unescape(commands[1])]
    done = subprocess.run(shell, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    repeated = tmp_path / f"run-{completed['id']}" / "artifacts"
    for name in ("adapter.zip", "config.json", "predictions.jsonl"):
        original = stack.api("GET", f"/runs/{completed['id']}/artifacts/{name}")
        assert (repeated / name).read_bytes() == original, name


@pytest.mark.parametrize("victim", ["child", "worker"])
def test_what_is_killed_is_followed_by_an_attempt_that_ends_with_the_same_results(
    victim: str, stack: Any, completed: Json
) -> None:
    run_id = stack.launch()
    stack.wait(run_id, lambda run: run["progress"]["epoch"] > 1)  # a checkpoint stands at every epoch's end
    child = stack.child()
    if victim == "child":
        child.kill()
    else:
        stack.worker.kill()
        stack.worker.wait()
        child.wait(5)
        stack.restart_worker()
    run = stack.wait_for_end(run_id)
    assert (run["status"], run["attempt"]) == ("completed", 2)
    assert losses(stack, run_id) == losses(stack, completed["id"])
    assert run["results"] == completed["results"]
    log = "\n".join(stack.api("GET", f"/runs/{run_id}/logs")["lines"])
    assert ("killed with SIGKILL" in log) == (victim == "child")
    assert "Continuing after step" in log
    assert "Traceback" not in log


def test_a_stopped_worker_gives_its_run_back_and_the_next_one_ends_it(stack: Any, completed: Json) -> None:
    run_id = stack.launch()
    stack.wait(run_id, lambda run: run["progress"]["step"] > 1)
    child, asked = stack.child(), time.monotonic()
    stack.worker.send_signal(signal.SIGTERM)
    assert stack.worker.wait(3 * PROMISED_SECONDS) == 0
    print(f"the worker was gone after {time.monotonic() - asked:.1f} s")
    assert not child.is_running()
    assert stack.run(run_id)["status"] == "queued"
    assert stack.api("GET", "/workers")["items"] == []
    stack.restart_worker()
    run = stack.wait_for_end(run_id)
    assert (run["status"], run["attempt"]) == ("completed", 2)
    assert run["results"] == completed["results"]


def cancelled(stack: Any, run_id: int) -> None:
    asked = time.monotonic()
    stack.api("POST", f"/runs/{run_id}/cancel")
    run = stack.wait_for_end(run_id)
    took = time.monotonic() - asked
    print(f"cancelled after {took:.1f} s")
    assert run["status"] == "cancelled"
    assert run["finished_at"]
    assert took < 3 * PROMISED_SECONDS


# An evaluation that lasts: the base is not known under these settings, so it is measured first.
LONG: Json = {"evaluation.max_new_tokens": 2000, "data.split_seed": 1}
SOME_SECONDS: Json = {"evaluation.max_new_tokens": 1000, "training.max_steps": 1}


@pytest.mark.parametrize(
    ("stage", "changes"),
    [
        ("preparing", {}),
        ("baseline", LONG),
        ("training", {"training.num_train_epochs": 500}),
    ],
)
def test_a_cancel_ends_a_run_in_every_stage(stage: str, changes: Json, stack: Any, completed: Json) -> None:
    run_id = stack.launch(changes)
    stack.wait(run_id, lambda run: run["stage"] == stage and (stage != "training" or run["progress"]["step"] > 0))
    cancelled(stack, run_id)
    assert stack.child() is None


def test_a_cancel_ends_a_run_that_waits_and_one_that_evaluates(stack: Any, completed: Json) -> None:
    run_id, waiting = stack.launch(SOME_SECONDS), stack.launch()
    stack.wait(run_id, lambda run: run["stage"] == "baseline")
    cancelled(stack, waiting)
    stack.wait(run_id, lambda run: run["stage"] == "evaluating")
    cancelled(stack, run_id)


def test_a_retry_of_a_cancelled_run_continues_to_the_same_results(stack: Any, completed: Json) -> None:
    run_id = stack.launch()
    stack.wait(run_id, lambda run: run["progress"]["step"] > 2)
    cancelled(stack, run_id)
    stack.api("POST", f"/runs/{run_id}/retry", json={})
    run = stack.wait_for_end(run_id)
    assert run["results"] == completed["results"]
    assert losses(stack, run_id) == losses(stack, completed["id"])
