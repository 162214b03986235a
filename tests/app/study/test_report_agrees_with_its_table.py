"""Whatever the runs: no sentence, no recommendation and no mark of a report disagrees with its own table.

Everything is computed here anew from the report's `table`, in plain arithmetic.
"""

import csv
import io
import re
from collections.abc import Iterable
from statistics import mean
from typing import Any

import pytest

from app import run_config
from app.run_config import LABELS
from app.study import csv as table_csv
from app.study import markdown
from app.study.report import Study, build
from tests.app.study.random_studies import random_study

Json = dict[str, Any]
SEEDS = range(120)
LOWER = {"perplexity": True, "bleu": False, "rouge_l": False}
# What a unit is, and half of the last place in which it is shown.
UNITS = {"s": (1, 0.51), "min": (60, 30.1), "MB": (1e6, 0.51e6), "GB": (1e9, 0.051e9)}


@pytest.fixture(params=SEEDS)
def study(request: pytest.FixtureRequest) -> Study:
    return random_study(request.param)


@pytest.fixture
def report(study: Study) -> Json:
    return build(study)


def alike(report: Json, run_id: int) -> list[Json]:
    """The rows that differ from this one in nothing but the seed."""
    rows = {row["run_id"]: row for row in report["table"]}
    mine = rows[run_id]
    return [r for r in rows.values() if key(r) == key(mine)]


def key(row: Json) -> str:
    settings = {name: value for name, value in row["settings"].items() if name != "training.seed"}
    return repr((sorted(settings.items(), key=str), row["origin"], row["group"]))


def average(report: Json, run_id: int, metric: str) -> float | None:
    values = [row[metric] for row in alike(report, run_id) if row[metric] is not None]
    return mean(values) if values else None


def beats(metric: str, one: float, other: float) -> bool:
    return one < other if LOWER[metric] else one > other


def marked(study: Study) -> Json:
    """The report with what its rows may be compared by: the table itself does not say it."""
    report = build(study)
    for row, run in zip(report["table"], study.runs, strict=True):
        row["group"] = (run.import_id, run.fingerprint)
        row["compares"] = (run.import_id, run.perplexity_key if report["metric"] == "perplexity" else run.fingerprint)
    return report


def compared(report: Json) -> Iterable[Json]:
    """The rows that compare with the baseline and have the metric; one a configuration."""
    if report["baseline"] is None:
        return []
    rows = {row["run_id"]: row for row in report["table"]}
    with_baseline = rows[report["baseline"]["run_id"]]["compares"]
    firsts = {}
    for row in report["table"]:
        if average(report, row["run_id"], report["metric"]) is not None:
            firsts.setdefault(key(row), row)
    return [row for row in firsts.values() if row["compares"] == with_baseline]


def test_nothing_beats_the_best_and_all_that_equal_it_are_named(study: Study) -> None:
    report = marked(study)
    metric, best = report["metric"], report["best"]
    candidates = {row["name"]: average(report, row["run_id"], metric) for row in compared(report)}
    if best is None:
        assert not candidates
        return
    assert best["value"] == pytest.approx(average(report, best["run_id"], metric))
    assert not [name for name, value in candidates.items() if beats(metric, value, best["value"])]
    equals = {name for name, value in candidates.items() if value == best["value"] and name != best["name"]}
    assert set(best["ties"]) == equals
    assert all(name in best["text"] for name in equals)
    for lead in best["leads"]:
        theirs = average(report, lead["run_id"], metric)
        assert not beats(metric, theirs, best["value"])


def test_a_finding_has_the_numbers_of_its_runs_and_the_word_that_they_mean(study: Study) -> None:
    report = marked(study)
    rows = {row["run_id"]: row for row in report["table"]}
    for f in report["findings"]:
        before, after = rows[f["baseline_run"]], rows[f["run"]]
        names = {*before["settings"], *after["settings"]} - {"training.seed"}
        assert {n for n in names if before["settings"].get(n) != after["settings"].get(n)} == {
            f["factor"],
            *f["linked"],
        }
        assert before["compares"] == after["compares"]
        start, end = (average(report, f[side], f["metric"]) for side in ("baseline_run", "run"))
        assert (f["value_from"], f["value_to"]) == (pytest.approx(start), pytest.approx(end))
        assert f["relative_change"] == (pytest.approx((end - start) / start) if start else None)
        noise = start == end or (f["interval"] is not None and f["interval"][0] <= 0 <= f["interval"][1])
        assert f["better"] is (None if noise else beats(f["metric"], end, start))
        check_words(f)


def check_words(f: Json) -> None:
    said = f["text"].partition("(95 %")[0].partition("(one run")[0]
    words = {
        word for word in ("better", "worse", "within noise", "the same") if f", {word}" in said or f"% {word}" in said
    }
    expected = {
        True: "better",
        False: "worse",
        None: "the same" if f["value_from"] == f["value_to"] else "within noise",
    }
    assert words - {"the same"} == {expected[f["better"]]} - {"the same"}, f["text"]
    if f["better"] is None and f["value_from"] == f["value_to"]:
        assert ", the same" in said
    verb = {True: "is better than", False: "is worse than"}.get(f["better"])
    assert verb is None or verb in f["title"]
    share = re.search(r"([+−]?)([\d.]+) %", said)
    if f["relative_change"] and share:
        size = float(share[2])
        assert size > 0
        assert size == pytest.approx(abs(f["relative_change"]) * 100, abs=0.051)
        assert not share[1] or (share[1] == "+") == (f["relative_change"] > 0)
    for change, units in ((f["memory_change_bytes"], ("MB", "GB")), (f["time_change_seconds"], ("s", "min"))):
        told = re.search(rf"(?:for|and) ([+−])([\d.]+) ({'|'.join(units)})\b", said)
        assert not re.search(rf"(?:for|and) [\d.]+ ({'|'.join(units)})\b", said), "a cost without a sign"
        assert told or not change or abs(change) < 1e6, "a cost that nobody is told"
        if told:
            assert (told[1] == "+") == (change > 0), f["text"]
            unit, rounding = UNITS[told[3]]
            assert float(told[2]) * unit == pytest.approx(abs(change), rel=0, abs=rounding)


def test_the_table_says_what_its_deltas_mean(study: Study) -> None:
    report = marked(study)
    rows = {row["run_id"]: row for row in report["table"]}
    for row in report["table"]:
        for metric, delta in row["deltas"].items():
            if delta is not None:
                baseline = rows[report["baseline"]["run_id"]]
                assert delta == pytest.approx(row[metric] - baseline[metric])
        for metric, better in row["better"].items():
            if better is not None:
                start, end = (average(report, i, metric) for i in (report["baseline"]["run_id"], row["run_id"]))
                assert better is beats(metric, end, start)
        if row["note_disagrees"] and row["notes"] == "slight improvement":
            assert not (row["numbers_say"] or "").startswith("better")


def test_recommendations_follow_from_findings(study: Study) -> None:
    report = marked(study)
    findings = {f["id"]: f for f in report["findings"]}
    for item in report["recommendations"]:
        because = [findings[i] for i in item["because"]]
        if taken := re.search(r": take (\S+)\. ", item["text"]):
            better = [f for f in because if f["better"]]
            top = [f for f in better if not any(beats(f["metric"], g["value_to"], f["value_to"]) for g in better)]
            assert taken[1] in {setting(f["to"]) for f in top}
        if ": keep " in item["text"]:
            assert all(f["better"] is False for f in because)
        if "no difference was shown" in item["text"]:
            assert any(f["better"] is None for f in because)
            assert not any(f["better"] for f in because)


def setting(value: Any) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else run_config.value_text(value)


def test_a_budget_buys_the_best_of_what_is_cheaper(study: Study) -> None:
    report = marked(study)
    points = {p["name"]: p for p in report["trade_offs"]["points"]}
    for item in report["recommendations"]:
        told = re.match(r"With less (memory|time) than (run \d+) takes .*, (run \d+) is the best", item["text"])
        if not told:
            continue
        cost = {"memory": "peak_memory_bytes", "time": "train_seconds"}[told[1]]
        winner, chosen = points[told[2]], points[told[3]]
        assert chosen[cost] < winner[cost]
        cheaper = [p for p in points.values() if p[cost] is not None and p[cost] < winner[cost] * 0.99]
        rss = {row["name"] for row in report["table"] if row["memory_kind"] == "rss"}
        allowed = [
            p for p in cheaper if cost == "train_seconds" or not {r["name"] for r in alike(report, p["run_id"])} & rss
        ]
        assert not [p for p in allowed if beats(report["metric"], p["value"], chosen["value"])]


def test_what_comes_next_is_valid_and_new(study: Study) -> None:
    report = marked(study)
    rows = {row["run_id"]: row for row in report["table"]}
    for step in report["next"]:
        changes = {"model.base_model": "any", "data.dataset": 1, **step["config_changes"]}
        run_config.parse(run_config.nest(changes))
        wanted = rows[step["of"]]["settings"] | step["config_changes"]
        wanted.pop("training.seed", None)
        made = [row for row in compared(report) if all(row["settings"].get(n) == v for n, v in wanted.items())]
        assert bool(made) == bool(step["seeds"]), step
        used = {r["settings"].get("training.seed") for r in alike(report, step["of"])}
        assert not used & set(step["seeds"])


def series(f: Json) -> tuple[str, list[str], int]:
    return f["factor"], f["linked"], f["baseline_run"]


def test_an_edge_is_the_best_of_numbers_and_an_end_of_them(study: Study) -> None:
    report = marked(study)
    for f in report["findings"]:
        same = [g for g in report["findings"] if series(g) == series(f)]
        if f["at_edge"]:
            tried = [f["from"], *(g["to"] for g in same)]
            assert f["to"] in (min(tried), max(tried))
            assert f["better"]
            assert not [g for g in same if beats(f["metric"], g["value_to"], f["value_to"])]
            end = "smallest" if f["to"] == min(tried) else "largest"
            assert f"is the {end} tried" in f["text"]
        else:
            assert "may lie beyond" not in f["text"]


def test_nothing_on_the_front_is_beaten_and_all_else_is(study: Study) -> None:
    offs = build(study)["trade_offs"]
    sign = 1 if LOWER[offs["metric"]] else -1
    at = [(sign * p["value"], *(p[axis] for axis in offs["axes"][1:])) for p in offs["points"]]
    for mine, point in zip(at, offs["points"], strict=True):
        beaten = any(all(a <= b for a, b in zip(o, mine, strict=True)) and o != mine for o in at)
        assert point["on_front"] is not beaten


def test_documents_hold_every_finding_and_raw_numbers(report: Json) -> None:
    text = markdown.render(report)
    assert all(f["text"] in text for f in report["findings"])
    assert all(c in text for c in report["caveats"])
    lines = list(csv.DictReader(io.StringIO(table_csv.render(report))))
    for line, row in zip(lines, report["table"], strict=True):
        for name in ("perplexity", "bleu", "rouge_l", "train_seconds", "peak_memory_bytes"):
            assert (float(line[name]) if line[name] else None) == row[name]


def test_every_factor_has_a_name(report: Json) -> None:
    assert all(f["label"] == LABELS[f["factor"]] for f in report["findings"])


def test_the_studies_are_not_all_alike() -> None:
    reports = [build(random_study(seed)) for seed in SEEDS]
    findings = [f for report in reports for f in report["findings"]]
    assert {f["better"] for f in findings} == {True, False, None}
    assert any(f["linked"] for f in findings)
    assert any(f["at_edge"] for f in findings)
    assert any(report["best"] is None for report in reports)
    assert any(report["best"] and report["best"]["ties"] for report in reports)
    assert any("No finding is drawn" in c for report in reports for c in report["caveats"])
    assert any(f["relative_change"] is None for f in findings)
    assert any(f["interval"] is None for f in findings)
