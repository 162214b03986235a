"""A study through every real part: stored at once, run in the queue's order, not stopped by a run that fails."""

from typing import Any

import pytest

Json = dict[str, Any]
pytestmark = pytest.mark.slow

ENDED = ("completed", "failed", "cancelled")


def body(dataset: int, **changes: Any) -> Json:
    config: Json = {
        "model": {"base_model": "sample/clinic-2m"},
        "data": {"dataset": 1, "eval_fraction": 0.2, "max_length": 128},
        "training": {"num_train_epochs": 1, "gradient_accumulation_steps": 1, "learning_rate": 1e-3},
        "evaluation": {"max_new_tokens": 8, "max_eval_rows": 4},
    }
    runs = [
        {"name": "Baseline"},
        {"name": "No such layer", "notes": "fails", "set": {"lora.target_modules": ["no_such_layer"]}},
        {"name": "More data", "set": {"data.dataset": dataset}},
        {"name": "Attention only", "set": {"lora.target_modules": ["q_proj", "v_proj"]}},
    ]
    return {"experiment": "a study", "config": config, "runs": runs} | changes


def test_a_failed_run_of_a_study_stops_no_other_and_time_is_known_afterwards(stack: Any) -> None:
    rows = b'{"instruction": "What is not an item?", "response": "Nothing here is not an item."}\n'
    stack.api("POST", "/datasets", files={"file": ("more.jsonl", rows)})
    appended = stack.api("POST", "/datasets/1/append", json={"dataset": 2})
    planned = stack.api("POST", "/sweeps", params={"dry_run": "true"}, json=body(appended["id"]))
    assert planned["estimated_seconds"] is None

    ids = [run["id"] for run in stack.api("POST", "/sweeps", json=body(appended["id"]))["runs"]]
    stack.api("PATCH", "/queue", json={"runs": [ids[3]]})
    ended = [stack.wait(run_id, lambda run: run["status"] in ENDED) for run_id in (ids[0], ids[2], ids[3])]
    failed = stack.run(ids[1])
    assert (failed["status"], failed["error"]["code"]) == ("failed", "bad_target_modules")
    assert [run["status"] for run in ended] == ["completed"] * 3
    assert stack.run(ids[3])["started_at"] < stack.run(ids[2])["started_at"], "it was put in front"
    assert ended[2]["resources"]["trainable_parameters"] < ended[0]["resources"]["trainable_parameters"]
    assert ended[1]["resources"]["train_rows"] >= ended[0]["resources"]["train_rows"]

    again = stack.api("POST", "/sweeps", params={"dry_run": "true"}, json=body(appended["id"]))
    took = ended[0]["resources"]["train_seconds"]
    assert again["runs"][0]["estimated_seconds"] == pytest.approx(took, abs=60)
