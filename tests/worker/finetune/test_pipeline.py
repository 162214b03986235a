"""Whole runs of a tiny random model: what they leave, what they reuse, and how they fail."""

import json
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.settings import SAMPLES
from worker.finetune import baseline
from worker.finetune.errors import FinetuneError, Stopped
from worker.finetune.pipeline import Outcome, finetune
from worker.finetune.reporter import Silent


@pytest.fixture
def run(llama: Path, rows: Path, make_config: Any, tmp_path: Path) -> Callable[..., Outcome]:
    def start(
        reporter: Any = None, model: Path = llama, data: Path = rows, resume: bool = False, **overrides: Any
    ) -> Outcome:
        return finetune(
            make_config(**overrides),
            model_path=model,
            rows_path=data,
            output_dir=tmp_path / "out",
            baselines_dir=tmp_path / "baselines",
            reporter=reporter or Silent(),
            resume=resume,
        )

    return start


def test_a_run_leaves_results_curves_and_artifacts(run: Any, recording: Any, tmp_path: Path) -> None:
    reporter = recording()
    outcome = run(reporter, training__num_train_epochs=2)
    results, folder = outcome.results, tmp_path / "out" / "artifacts"
    assert reporter.stages == ["preparing", "baseline", "training", "evaluating", "saving"]
    assert results["finetuned"]["perplexity"] < results["base"]["perplexity"]
    low, high = results["intervals"]["perplexity"]
    assert low <= results["improvement"]["perplexity"] <= high < 0
    names = {entry["name"] for entry in json.loads((folder / "manifest.json").read_text())}
    assert names == {
        "README.md", "adapter.zip", "config.json", "environment.json", "metrics.jsonl", "predictions.jsonl"
    }  # fmt: skip
    steps = max(reporter.curves["train/loss"])
    assert set(reporter.curves["train/loss"]) == set(range(1, steps + 1))
    assert set(reporter.curves["eval/loss"]) == {0, steps // 2, steps}
    assert reporter.curves["eval/perplexity"][0] == results["base"]["perplexity"]
    assert reporter.curves["eval/bleu"][steps] == results["finetuned"]["bleu"]
    assert outcome.resources["peak_memory_bytes"] >= outcome.resources["mean_memory_bytes"] > 10**8


def test_metrics_file_holds_every_point(run: Any, recording: Any, tmp_path: Path) -> None:
    reporter = recording()
    run(reporter)
    lines = [json.loads(x) for x in (tmp_path / "out/artifacts/metrics.jsonl").read_text().splitlines()]
    assert {(x["name"], x["step"], x["value"]) for x in lines} == {
        (name, step, value) for name, points in reporter.curves.items() for step, value in points.items()
    }


def test_the_base_is_measured_once_per_key(run: Any, recording: Any) -> None:
    first, second, other = recording(), recording(), recording()
    before = run(first).results
    after = run(second, training__learning_rate=1e-3, lora__r=2, training__seed=7).results
    assert first.baselines == second.baselines
    assert [any("known already" in line for line in r.logged) for r in (first, second)] == [False, True]
    assert before["base"] == after["base"]
    run(other, quantization__method="none")
    assert other.baselines != first.baselines


def test_keys_change_with_what_they_stand_for(run: Any) -> None:
    def keys(**overrides: Any) -> tuple[str, str, str]:
        results = run(training__max_steps=1, **overrides).results
        return results["fingerprint"], results["perplexity_key"], results["baseline_key"]

    plain = keys()
    assert keys(training__learning_rate=1e-3) == plain
    template = keys(data__prompt_template="Q: {{ instruction }}\nA: ")
    assert (template[0] == plain[0], template[1] == plain[1]) == (True, False)
    fp4 = keys(quantization__method="fp4")
    assert (fp4[:2] == plain[:2], fp4[2] == plain[2]) == (True, False)
    assert keys(evaluation__max_new_tokens=4)[0] != plain[0]
    assert keys(data__split_seed=1)[0] != plain[0]


def test_two_runs_with_one_seed_are_equal_and_another_seed_is_not(run: Any) -> None:
    first, again, other = run().results, run().results, run(training__seed=1).results
    assert first == again
    assert other["finetuned"] != first["finetuned"]


def test_a_base_with_a_chat_template_is_measured_with_plain_too(run: Any, chat_llama: Path) -> None:
    results = run(model=chat_llama, training__max_steps=1).results
    assert set(results["base_plain"]) == {"perplexity", "bleu", "rouge_l", "loss"}
    assert results["base_plain"]["perplexity"] != results["base"]["perplexity"]
    assert run(training__max_steps=1).results["base_plain"] is None


def test_adapter_names_the_base_by_its_id_and_holds_no_path(run: Any, tmp_path: Path) -> None:
    run(training__max_steps=1)
    with zipfile.ZipFile(tmp_path / "out/artifacts/adapter.zip") as archive:
        config = json.loads(archive.read("adapter_config.json"))
    assert config["base_model_name_or_path"] == "test/tiny"
    assert str(tmp_path) not in json.dumps(config)


@pytest.mark.parametrize("stage", ["preparing", "baseline", "training", "evaluating", "saving"])
def test_a_stop_is_heard_in_every_stage(run: Any, recording: Any, stage: str) -> None:
    with pytest.raises(Stopped):
        run(recording(stop_at=lambda r: r.stages[-1] == stage))


def test_validation_rows_choose_and_held_out_rows_do_not(run: Any, recording: Any) -> None:
    reporter = recording()
    run(
        reporter,
        data__validation_fraction=0.3,
        training__load_best_model_at_end=True,
        training__early_stopping_patience=1,
        training__num_train_epochs=30,
        training__learning_rate=0.05,
    )
    validation = reporter.curves["validation/loss"]
    assert any("Stopping early" in line for line in reporter.logged)
    best = min(validation, key=lambda step: validation[step])
    assert any(f"step {best}:" in line for line in reporter.logged)


def code_of(run: Any, **overrides: Any) -> str:
    with pytest.raises(FinetuneError) as caught:
        run(**overrides)
    assert caught.value.detail
    assert caught.value.hint
    return caught.value.code


def test_unusable_settings_fail_with_a_code_of_their_own(run: Any) -> None:
    assert code_of(run, data__max_length=512) == "context_too_short"
    assert code_of(run, data__max_length=16) == "context_too_short"
    assert code_of(run, lora__target_modules=["q_proj", "nothing"]) == "bad_target_modules"
    assert code_of(run, data__prompt_template="chat") == "bad_template"
    assert code_of(run, data__prompt_template="{{ instruction") == "bad_template"
    assert code_of(run, data__eval_fraction=0.0001) == "too_few_rows"


def test_divergence_is_named(run: Any) -> None:
    """With the sample, which was trained on text: a random model takes a rate of 1 without an overflow."""
    sample = {"model": SAMPLES / "models" / "clinic-2m", "data": SAMPLES / "data" / "clinic_pairs.jsonl"}
    rows = {"data__max_train_rows": 40, "evaluation__max_eval_rows": 5}
    wild = {"learning_rate": 1.0, "max_grad_norm": 0, "optim": "sgd", "max_steps": 30, "warmup_steps": 0}
    settings = {f"training__{name}": value for name, value in wild.items()} | {"lora__r": 8, "lora__lora_alpha": 4096}
    assert code_of(run, **sample, **rows, **settings, training__gradient_accumulation_steps=1) == "nan_loss"


def test_a_response_on_both_sides_is_a_leak_unless_allowed(run: Any, write_rows: Any) -> None:
    same = [
        {"instruction": f"Question {i}?", "response": "This answer is the same for every question."} for i in range(40)
    ]
    assert code_of(run, data=write_rows(same)) == "leakage"
    run(data=write_rows(same), data__allow_leakage=True, training__max_steps=1)


def test_only_safetensors_of_causal_models_are_read(run: Any, llama: Path, tmp_path: Path) -> None:
    assert code_of(run, model=tmp_path / "nowhere") == "model_not_found"
    config = json.loads((llama / "config.json").read_text())
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    (pickled / "config.json").write_text(json.dumps(config))
    (pickled / "pytorch_model.bin").write_bytes(b"")
    assert code_of(run, model=pickled) == "not_safetensors"
    (pickled / "model.safetensors").write_bytes(b"")
    (pickled / "config.json").write_text(json.dumps(config | {"architectures": ["LlamaForTokenClassification"]}))
    assert code_of(run, model=pickled) == "not_causal_lm"
    (pickled / "config.json").write_text(json.dumps({"model_type": "unheard-of"}))
    assert code_of(run, model=pickled) == "not_causal_lm"


def test_nothing_reaches_for_the_network(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a connection was attempted")

    monkeypatch.setattr("socket.socket.connect", refuse)
    assert math.isfinite(run(training__max_steps=1).results["finetuned"]["perplexity"])


def test_a_base_that_another_run_is_measuring_is_waited_for(run: Any, recording: Any, tmp_path: Path) -> None:
    key = run(training__max_steps=1).results["baseline_key"]
    waiting = recording(lambda said: any("waiting for that" in line for line in said.logged))
    with baseline.turn(tmp_path / "baselines", key, Silent()), pytest.raises(Stopped):
        run(waiting, training__max_steps=1)
    assert waiting.stages == ["preparing", "baseline"]
