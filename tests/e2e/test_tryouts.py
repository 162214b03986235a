"""Trying out and merging what was trained, on the worker that trains: neither is in the other's way."""

import hashlib
import time
from collections.abc import Callable
from typing import Any

import pytest

Json = dict[str, Any]
pytestmark = pytest.mark.slow

# Some seconds, so that there is a middle to ask in.
SHORT = {"training.num_train_epochs": 12, "training.learning_rate": 1e-3}


@pytest.fixture(scope="module")
def trained(stack: Any) -> Json:
    run: Json = stack.wait_for_end(stack.launch(SHORT))
    assert run["status"] == "completed", run
    return run


def ask(stack: Any, run: Json, **wanted: Any) -> Json:
    errand: Json = stack.api("POST", "/tryouts", json={"runs": [run["id"]], **wanted})
    return errand


def until(stack: Any, errand: Json, is_so: Callable[[Json], bool], seconds: float = 120) -> Json:
    deadline = time.monotonic() + seconds
    while not is_so(found := stack.api("GET", f"/errands/{errand['id']}")):
        assert time.monotonic() < deadline, f"it did not come to that: {found}"
        time.sleep(0.05)
    return dict(found)


def is_over(errand: Json) -> bool:
    return errand["status"] not in ("queued", "running")


def test_a_try_out_never_disturbs_a_training_run_and_waits_with_a_reason(stack: Any, trained: Json) -> None:
    """The same settings once more, this time with a try-out asked for in the middle: the same result, bit by bit."""
    kept = stack.api("GET", f"/runs/{trained['id']}/predictions")["items"][0]
    again = stack.launch(SHORT)
    stack.wait(again, lambda run: run["progress"]["step"] > 0)
    asked = ask(stack, trained, row=kept["row"], settings={"max_new_tokens": 16})
    waiting = until(stack, asked, lambda errand: errand["waits_for"] is not None)
    assert (waiting["status"], waiting["answer"]) == ("queued", None)
    assert f"Run {again} " in waiting["waits_for"]
    assert "is training on this worker" in waiting["waits_for"]
    run = stack.wait_for_end(again)
    assert (run["status"], run["attempt"], run["results"]) == ("completed", 1, trained["results"])
    answered = until(stack, asked, is_over)
    assert answered["status"] == "done", answered
    assert answered["created_at"] < run["finished_at"] < answered["finished_at"]
    base, tuned = answered["answer"]["answers"]
    assert (base["text"], tuned["text"]) == (kept["base"], kept["finetuned"])
    assert base["prompt"] == kept["prompt"]


def test_one_that_waits_can_be_called_off(stack: Any, trained: Json) -> None:
    busy = stack.launch({"training.num_train_epochs": 300})
    stack.wait(busy, lambda run: run["status"] == "running")
    asked = ask(stack, trained, prompt="Who?")
    until(stack, asked, lambda errand: errand["waits_for"] is not None)
    stack.api("DELETE", f"/errands/{asked['id']}")
    stack.api("POST", f"/runs/{busy}/cancel")
    assert stack.wait_for_end(busy)["status"] == "cancelled"
    assert stack.api("GET", f"/errands/{asked['id']}")["status"] == "cancelled"


def test_a_merged_model_is_measured_again_and_downloaded(stack: Any, trained: Json) -> None:
    path = f"/runs/{trained['id']}/exports"
    assert stack.api("GET", path)["items"] == []
    asked = stack.api("POST", path, json={"kind": "merged"})
    made = until(stack, asked, is_over)
    assert made["status"] == "done", made
    [merged] = stack.api("GET", path)["items"]
    assert merged["dtype"] == "float16"
    assert merged["rescored"] == made["answer"]["rescored"]
    assert merged["rescored"]["adapter"] == trained["results"]["finetuned"]
    change = merged["rescored"]["changes"]["perplexity"]["absolute"]
    assert abs(change) < 0.01 * trained["results"]["finetuned"]["perplexity"]
    files = {item["name"]: item for item in merged["files"]}
    assert set(files) >= {"README.md", "config.json", "model.safetensors", "tokenizer.json"}
    for name in ("README.md", "model.safetensors"):
        content = stack.api("GET", f"{path}/merged/{name}")
        assert hashlib.sha256(content).hexdigest() == files[name]["sha256"]
    assert b"After merging" in stack.api("GET", f"{path}/merged/README.md")
