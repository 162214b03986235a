"""The benchmarks compare what can be compared, and run: here at sizes that say nothing about speed."""

from pathlib import Path

import pytest

from app.config_sections import Section
from app.run_config import RunConfig
from benchmarks import (
    _cases,
    _growing,
    _our_rows,
    _plain_evaluation,
    _plain_training,
    _studying,
    gpu,
    speed,
)
from worker.finetune import scoring, writers
from worker.finetune.evaluation import measure
from worker.finetune.quantization import disarm_repacking
from worker.finetune.reporter import Silent


def test_both_sides_are_asked_for_the_same_training() -> None:
    case = _cases.sample()
    config = RunConfig.model_validate(case.config)
    assert config.training.model_dump(include=set(case.training)) == case.training
    assert config.lora.model_dump(include=set(_cases.LORA)) == _cases.LORA


def test_both_sides_find_the_same_in_the_same_model(tmp_path: Path) -> None:
    case = _cases.sample(steps=1, eval_rows=10, new_tokens=12)
    place = {"model": str(case.model), "dataset": str(case.dataset)}
    _our_rows.rows(config=case.config, to=str(tmp_path / "rows.json"), **place)
    data = _plain_training.read(tmp_path / "rows.json")
    model, tokenizer = _plain_training.load(str(case.model))
    disarm_repacking(model)  # else in bfloat16, on a CPU that has it
    plain = _plain_evaluation.evaluate(model, tokenizer, data, case.new_tokens)

    job = _our_rows.made_ready(case.config, **place)
    writer = writers.base_writer(job.base.model, job.base.dtype)
    ours = measure(job.base.model, writer, job.held_out, job.decoding, job.tokenizer, Silent(), job.paths).metrics
    assert {name: ours[name] for name in plain} == pytest.approx(plain, rel=1e-6)
    assert len(data["train"]) == len(job.train)
    assert [row["input_ids"] for row in data["held_out"]] == [list(example.ids) for example in job.held_out.examples]


def test_the_plain_scores_are_those_of_the_program() -> None:
    answers, references = ["the heart beats fast", "no"], ["the heart beats slowly", "no, not at all"]
    plain = _plain_evaluation.scores(answers, references)
    assert plain["bleu"] == pytest.approx(scoring.bleu(answers, references))
    assert plain["rouge_l"] == pytest.approx(scoring.rouge_l(answers, references))


@pytest.mark.slow
def test_training_and_evaluation_are_printed_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    speed.main(["--tiny", "--only", "training", "evaluation", "--threads", "1", "--rounds", "1"])
    printed = capsys.readouterr().out
    assert printed.count("| Tuneboard |") + printed.count(" Tuneboard |") >= 2
    assert "Trainer, gradient checkpointing" in printed


@pytest.mark.slow
def test_a_study_ends_on_all_sides_with_a_result_for_each_run() -> None:
    sides = _studying.study(2, 1, tiny=True)
    (ours,), (together,), (plain,) = sides.values()
    assert list(sides) == ["Tuneboard", "2 workers of one", "scripts"]
    assert together.runs["Baseline"]["perplexity"] == pytest.approx(ours.runs["Baseline"]["perplexity"], rel=1e-4)
    assert set(ours.runs) == set(plain.runs) == {"Baseline"}
    assert ours.runs["Baseline"]["perplexity"] == pytest.approx(plain.runs["Baseline"]["perplexity"], rel=0.1)
    assert set(plain.parts) == {"libraries loaded", "base measured", "trained", "evaluated"}
    assert ours.seconds == pytest.approx(sum(ours.parts.values()))
    assert speed.study(sides, 2).row_count == 5 + len(plain.parts) + 1


def test_points_of_curves_are_written_and_read() -> None:
    (cells,) = _growing.points([1000])
    assert cells[0] == "1,000"
    assert len(cells) == len(speed.KEPT)


@pytest.mark.slow
def test_the_gpu_benchmark_runs_anywhere(capsys: pytest.CaptureFixture[str]) -> None:
    gpu.main(["--tiny", "--only", "default"])
    printed = capsys.readouterr().out
    assert "default: done" in printed
    assert "tokens/s" in printed


@pytest.mark.parametrize("way", gpu.WAYS)
def test_a_way_of_the_gpu_benchmark_is_a_configuration(way: str) -> None:
    for name, value in gpu.WAYS[way].items():
        group, _, key = name.partition(".")
        section: type[Section] = RunConfig.model_fields[group].annotation  # type: ignore[assignment]
        assert section.model_validate({**_needed(group), key: value}).model_dump()[key] == value


def _needed(group: str) -> dict[str, object]:
    return {"data": {"dataset": 1}, "model": {"base_model": "x"}}.get(group, {})
