"""Several comparisons at once: what Holm's correction leaves of the findings, and what is said of the rest."""

import random
from dataclasses import replace
from typing import Any

import pytest

from app.statistics.significance import holm
from app.study.report import Study, build
from app.study.runs import Configuration, StudyRun
from tests.app.study.reference_study import study


def test_the_example_of_the_textbooks() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_one_comparison_needs_no_correction_and_none_has_none() -> None:
    assert holm([0.04]) == [0.04]
    assert holm([]) == []


def test_it_rejects_what_the_step_by_step_rule_rejects() -> None:
    noise = random.Random(1)
    for _ in range(500):
        p_values = [
            noise.choice([0.0002, 0.004, 0.02, 0.3]) * noise.uniform(0.5, 2) for _ in range(noise.randint(1, 8))
        ]
        rejected: set[int] = set()
        for left, place in zip(
            range(len(p_values), 0, -1), sorted(range(len(p_values)), key=p_values.__getitem__), strict=True
        ):
            if p_values[place] > 0.05 / left:
                break
            rejected.add(place)
        assert {place for place, p in enumerate(holm(p_values)) if p <= 0.05} == rejected


# By run of the reference study: a p-value, alone.
P_VALUES = {2: 0.0002, 3: 0.02, 4: 0.012, 5: 0.0002, 6: 0.03, 7: 0.2}


def measured(p_values: dict[int, float] = P_VALUES) -> Study:
    """The reference study as if it had been measured here: each interval holds zero where its p-value is above 5 %."""

    def interval(a: Configuration, b: Configuration, metric: str) -> tuple[float, float] | None:
        change = ((b.mean(metric) or 0) - (a.mean(metric) or 0)) / (a.mean(metric) or 1)
        reach = abs(change) * (1.5 if p_values[b.first.id] > 0.05 else 0.5)
        return change - reach, change + reach

    def here(run: StudyRun) -> StudyRun:
        return replace(run, import_id=None, fingerprint="asked", perplexity_key="asked")

    stated = study()
    return replace(
        stated,
        runs=[here(run) for run in stated.runs],
        interval=interval,
        p_value=lambda a, b, metric: p_values[b.first.id],
    )


def findings(found: Study) -> dict[int, dict[str, Any]]:
    return {finding["run"]: finding for finding in build(found)["findings"]}


def test_only_what_stands_after_the_correction_is_better_or_worse() -> None:
    found = findings(measured())
    # Sorted 0.0002, 0.0002, 0.012, 0.02, 0.03, 0.2: times 6, 5, 4, 3, 2, 1.
    assert {run: f["better"] for run, f in found.items()} == {2: False, 5: False, 4: False, 3: None, 6: None, 7: None}
    assert found[3]["p_value"] == 0.02
    assert found[3]["p_adjusted"] == pytest.approx(0.06)


def test_the_text_says_where_only_the_number_of_comparisons_made_it_noise() -> None:
    found = findings(measured())
    assert "within noise after Holm's correction for 6 comparisons" in found[3]["text"]
    assert "Holm" not in found[7]["text"]
    assert "within noise" in found[7]["text"]
    assert "13.9 % worse" in found[2]["text"]


def test_what_was_lost_is_neither_recommended_nor_an_edge_to_go_beyond() -> None:
    report = build(measured())
    assert not any(finding["at_edge"] for finding in report["findings"])
    rank = next(r["text"] for r in report["recommendations"] if r["text"].startswith("LoRA r"))
    assert "take 16" not in rank


def test_a_caveat_names_the_method_and_the_number() -> None:
    assert any("Holm's correction for 6 comparisons" in caveat for caveat in build(measured())["caveats"])


def test_results_from_elsewhere_are_left_as_they_are() -> None:
    report = build(study())
    assert all(f["better"] is not None and f["p_value"] is None for f in report["findings"])
    assert "Holm" not in " ".join([*report["caveats"], *(f["text"] for f in report["findings"])])


def test_a_metric_that_points_the_other_way_is_corrected_too() -> None:
    """An aside that alone is told from noise and in the family is not must not be held against a finding."""
    clear = measured(dict.fromkeys(P_VALUES, 0.0002))
    other = replace(clear.runs[1], metrics={**clear.runs[1].metrics, "bleu": 0.9})
    contrary = replace(clear, runs=[clear.runs[0], other, *clear.runs[2:]])
    assert "points the other way" in findings(contrary)[2]["text"]
    doubtful = replace(contrary, p_value=lambda a, b, metric: 0.0002 if metric == "perplexity" else 0.04)
    assert "points the other way" not in findings(doubtful)[2]["text"]
