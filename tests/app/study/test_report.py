"""The report of the reference study says exactly what its figures say."""

from dataclasses import replace
from typing import Any

import pytest

from app.study.markdown import render
from app.study.report import build
from tests.app.study.reference_study import study


@pytest.fixture
def report() -> dict[str, Any]:
    return build(study())


def finding(report: dict[str, Any], run: int) -> dict[str, Any]:
    found: dict[str, Any] = next(f for f in report["findings"] if f["run"] == run)
    return found


def test_exp_6_is_the_best(report: dict[str, Any]) -> None:
    best = report["best"]
    assert (best["name"], best["value"], best["effective_batch_size"]) == ("Exp 6", 17.8, 16)


@pytest.mark.parametrize(
    ("metric", "base", "tuned", "percent"),
    [("perplexity", 45.2, 17.8, -60.6), ("bleu", 0.23, 0.44, 91.3), ("rouge_l", 0.31, 0.53, 71.0)],
)
def test_base_against_fine_tuned(
    report: dict[str, Any], metric: str, base: float, tuned: float, percent: float
) -> None:
    pair = report["base_vs_finetuned"][metric]
    assert (pair["base"], pair["finetuned"]) == (base, tuned)
    assert round(pair["improvement"] * 100, 1) == percent
    assert pair["interval"] is None


@pytest.mark.parametrize(
    ("run", "factor", "percent", "better", "memory", "minutes"),
    [
        (2, "training.learning_rate", 13.9, False, 0.0, 0),
        (3, "training.learning_rate", 4.3, False, 0.0, 0),
        (4, "training.per_device_train_batch_size", 7.5, False, -0.7, 15),
        (5, "lora.r", 20.3, False, -0.4, -5),
        (6, "lora.r", -2.7, True, 0.6, 5),
        (7, "training.num_train_epochs", -4.8, True, 0.0, 30),
    ],
)
def test_findings(
    report: dict[str, Any], run: int, factor: str, percent: float, better: bool, memory: float, minutes: int
) -> None:
    found = finding(report, run)
    assert (found["factor"], found["baseline_run"], found["better"]) == (factor, 1, better)
    assert round(found["relative_change"] * 100, 1) == percent
    assert found["memory_change_bytes"] == pytest.approx(memory * 1e9)
    assert found["time_change_seconds"] == minutes * 60
    assert found["interval"] is None
    assert "one run per setting: spread unknown" in found["text"]


def test_a_higher_learning_rate_is_not_called_an_improvement(report: dict[str, Any]) -> None:
    assert "4.3 % worse" in finding(report, 3)["text"]
    row = next(row for row in report["table"] if row["run_id"] == 3)
    assert row["notes"] == "Higher LR - slight improvement"
    assert row["numbers_say"] == "worse, +4.3 %"
    keep = next(r for r in report["recommendations"] if r["text"].startswith("Learning rate"))
    assert keep["text"] == "Learning rate: keep 2e-4; 1e-4 and 5e-4 were worse."


def test_rank_and_alpha_cannot_be_told_apart(report: dict[str, Any]) -> None:
    found = finding(report, 6)
    assert found["linked"] == ["lora.lora_alpha"]
    assert "cannot be told apart" in found["text"]
    assert "2.7 % better, for +0.6 GB and +5 min" in found["text"]


def test_a_smaller_batch_changed_the_effective_batch_with_it(report: dict[str, Any]) -> None:
    assert "effective batch size changed with it: 8 instead of 16" in finding(report, 4)["text"]


def test_more_epochs_may_be_better_still(report: dict[str, Any]) -> None:
    found = finding(report, 7)
    assert found["at_edge"]
    assert "5 is the largest tried: the best may lie beyond" in found["text"]
    assert not finding(report, 2)["at_edge"]


def test_time_by_epoch_rows_and_examples(report: dict[str, Any]) -> None:
    time = next(row for row in report["time"] if row["name"] == "Exp 6")
    assert (time["per_epoch"], time["per_1000_rows"], time["per_1000_examples"]) == (900, 1800, 360)


def test_time_by_rows_is_not_guessed() -> None:
    report = build(study(train_rows=None))
    assert all(row["per_1000_rows"] is None and row["per_1000_examples"] is None for row in report["time"])
    assert any("number of training rows was not stated" in caveat for caveat in report["caveats"])


def test_every_recommendation_rests_on_findings_of_the_report(report: dict[str, Any]) -> None:
    known = {f["id"] for f in report["findings"]}
    assert all(set(r["because"]) <= known for r in report["recommendations"])
    assert all(r["because"] for r in report["recommendations"])


def test_what_comes_next_is_ready_to_launch(report: dict[str, Any]) -> None:
    changes = [step["config_changes"] for step in report["next"]]
    assert {"lora.r": 32, "lora.lora_alpha": 64} in changes
    assert {"lora.r": 16, "lora.lora_alpha": 32, "training.num_train_epochs": 5.0} in changes


def test_the_markdown_holds_the_twelve_columns_and_every_finding(report: dict[str, Any]) -> None:
    text = render(report)
    assert "| Exp 6 | 2e-4 | 4 | 8 | 16 | 5 | 17.8 (−0.9) | 0.44 (+0.02) | 0.53 (+0.02) | 75 min | 4.2 GB |" in text
    assert all(f["text"] in text for f in report["findings"])


def test_two_notes_that_both_claim_the_best_place_are_not_both_right(report: dict[str, Any]) -> None:
    rows = {row["name"]: row for row in report["table"]}
    assert rows["Exp 5"]["numbers_say"] == "better, −2.7 %; the best is Exp 6"
    assert [name for name, row in rows.items() if row["note_disagrees"]] == ["Exp 2", "Exp 5"]


def test_the_best_is_said_with_its_lead(report: dict[str, Any]) -> None:
    best = report["best"]
    assert best["text"] == (
        "Exp 6 is the best configuration: "
        "Perplexity 17.8 after 45.2 of the base model (−60.6 %), in 75 min, with 4.2 GB."
    )
    assert [lead["text"] for lead in best["leads"]] == [
        "Its lead over Baseline is 4.8 %; one run per setting: spread unknown.",
        "Its lead over Exp 5 is 2.2 %; one run per setting: spread unknown.",
    ]


def test_by_another_metric_the_findings_are_about_that(report: dict[str, Any]) -> None:
    by_bleu = build(replace(study(), best_by="bleu"))
    assert by_bleu["best"]["value"] == 0.44
    assert "BLEU 0.40 instead of 0.42, 4.8 % worse" in finding(by_bleu, 3)["text"]


def test_budgets(report: dict[str, Any]) -> None:
    said = [r["text"] for r in report["recommendations"] if r["text"].startswith("With less")]
    assert said == [
        "With less memory than Exp 6 takes (4.2 GB), Exp 3 is the best: Perplexity 20.1 in 3.5 GB, against 17.8.",
        "With less time than Exp 6 takes (75 min), Exp 5 is the best: Perplexity 18.2 in 50 min, against 17.8.",
    ]


def test_the_front_of_quality_time_and_memory(report: dict[str, Any]) -> None:
    offs = report["trade_offs"]
    assert offs["axes"] == ["perplexity", "train_seconds", "peak_memory_bytes"]
    assert [p["name"] for p in offs["points"] if not p["on_front"]] == ["Exp 1", "Exp 2"]


def test_memory_of_a_process_takes_no_part_in_trade_offs_and_shows_no_saving() -> None:
    runs = [
        replace(
            run, import_id=None, fingerprint="f", perplexity_key="k", resources={**run.resources, "memory_kind": "rss"}
        )
        for run in study().runs
    ]
    runs.append(replace(runs[0], id=8, name="full", settings={**runs[0].settings, "quantization.method": "none"}))
    report = build(replace(study(), runs=runs))
    assert report["trade_offs"]["axes"] == ["perplexity", "train_seconds"]
    assert all(row["saving"] is None for row in report["memory"])
    assert not any("less memory" in r["text"] for r in report["recommendations"])
    assert any("cannot show what 4-bit saves" in caveat for caveat in report["caveats"])


def test_nothing_is_said_of_no_runs() -> None:
    report = build(replace(study(), runs=[], unfinished=2, failed=1))
    assert report["best"] is None
    assert not report["findings"] + report["recommendations"] + report["next"] + report["table"]
    assert any("without a result yet: 2" in caveat for caveat in report["caveats"])
    assert any("failed or were cancelled" in caveat for caveat in report["caveats"])
    assert "No run of this experiment has a result yet" in render(report)


def test_one_run_is_the_best_and_no_recommendation() -> None:
    report = build(replace(study(), runs=study().runs[:1]))
    assert report["best"]["name"] == "Baseline"
    assert report["best"]["leads"] == []
    assert report["recommendations"] == []
    assert [step["seeds"] for step in report["next"] if step["seeds"]] == [[43, 44]]


def test_a_baseline_without_a_result_is_stood_in_for() -> None:
    report = build(replace(study(), baseline=99))
    assert any("Baseline stands in for it" in caveat for caveat in report["caveats"])


def test_replicates_are_one_configuration_with_a_mean_and_a_spread() -> None:
    first = study().runs[0]
    seeds = [
        replace(first, id=10 + i, settings={**first.settings, "training.seed": i}, metrics={"perplexity": 18.0 + i})
        for i in range(3)
    ]
    best = build(replace(study(), runs=seeds, baseline=10))["best"]
    assert (best["value"], best["seeds"], best["spread"]) == (19.0, 3, 1.0)
    assert "mean of 3 seeds" in best["text"]


def test_a_value_too_close_to_show_is_shown_with_more_places() -> None:
    one, other = study().runs[:2]
    runs = [replace(one, metrics={"perplexity": 18.71}), replace(other, metrics={"perplexity": 18.713})]
    said = build(replace(study(), runs=runs))["findings"][0]["text"]
    assert "Perplexity 18.713 instead of 18.710, 0.02 % worse" in said


def test_a_change_from_nothing_is_no_share() -> None:
    one, other = study().runs[:2]
    runs = [replace(one, metrics={"bleu": 0.0}), replace(other, metrics={"bleu": 0.1})]
    report = build(replace(study(), runs=runs))
    assert report["findings"][0]["relative_change"] is None
    assert "BLEU 0.10 instead of 0.00, better" in report["findings"][0]["text"]


def test_another_metric_that_points_the_other_way_is_named() -> None:
    one, other = study().runs[:2]
    runs = [
        replace(one, metrics={"perplexity": 20.0, "bleu": 0.42}),
        replace(other, metrics={"perplexity": 19.0, "bleu": 0.40}),
    ]
    said = build(replace(study(), runs=runs))["findings"][0]["text"]
    assert said.endswith("BLEU (0.42 to 0.40) points the other way.")
