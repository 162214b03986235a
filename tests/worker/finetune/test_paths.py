"""A run's record says which ways it took; the fast ones and the plain ones come to the same results."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.computing import WAYS
from worker.finetune.pipeline import finetune

PLAIN = {
    "training__packing": False,
    "training__logits": "all",
    "lora__fused": False,
    "evaluation__generation": "plain",
}


@pytest.fixture
def run(
    llama: Path, rows: Path, make_config: Any, recording: Any, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., tuple[Any, Path, Any]]:
    def start(**settings: Any) -> tuple[Any, Path, Any]:
        folder, reporter = tmp_path_factory.mktemp("run"), recording()
        config = make_config(lora__lora_dropout=0.0, training__eval_steps=2, **settings)
        outcome = finetune(config, model_path=llama, rows_path=rows, output_dir=folder, reporter=reporter)
        return outcome, folder, reporter

    return start


def test_a_run_in_every_fast_way_comes_to_what_the_plain_ways_come_to(run: Any) -> None:
    (fast, _, fast_told), (plain, _, plain_told) = run(), run(**PLAIN)
    assert fast_told.environments[-1]["paths"] != plain_told.environments[-1]["paths"]
    for name in ("train/loss", "train/grad_norm", "eval/loss", "eval/perplexity"):
        assert len(fast_told.curves[name]) > 2
        assert fast_told.curves[name] == pytest.approx(plain_told.curves[name], rel=1e-5), name
    for side in ("base", "finetuned"):
        perplexity = fast.results[side]["perplexity"]
        assert perplexity == pytest.approx(plain.results[side]["perplexity"], rel=1e-5)
        for name in ("bleu", "rouge_l"):
            assert fast.results[side][name] == plain.results[side][name]


def test_the_ways_taken_are_told_as_they_are_chosen_and_kept_with_the_run(run: Any) -> None:
    _, folder, told = run()
    kept = json.loads((folder / "artifacts/environment.json").read_text())["paths"]
    assert told.environments[-1]["paths"] == kept
    assert kept.keys() <= WAYS.keys()
    assert kept["packing"] == "in one line, attention row by row in blocks"
    assert kept["logits"].startswith("of scored tokens only")
    assert kept["sampling"] == "rows of like length together"
    assert kept["base"] == "measured"
    assert told.environments[0]["paths"]["packing"] == kept["packing"]
