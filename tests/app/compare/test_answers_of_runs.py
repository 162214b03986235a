"""Answers side by side: whose they are, what is told of each, which rows are found and in which order."""

import math
from collections.abc import Sequence
from typing import Any

import pytest

from app.compare import answers, row_query, rows, sides
from app.compare.chosen import choose
from app.compare.row_query import RowQuery
from app.compare.row_table import RowTable
from app.db import Database
from app.errors import Invalid, NotFound
from app.settings import Settings
from app.status import RunStatus
from tests.answered import REFERENCES, add_answered, write_answers
from tests.stored_runs import add_run

LOOP = "It is best to see a nurse. " * 6
HALF = [" ".join(text.split()[:8]) for text in REFERENCES]


def table(
    database: Database,
    settings: Settings,
    runs: Sequence[int],
    *,
    baseline: int | None = None,
    against_base: bool = False,
    score: str = "rouge_l",
) -> RowTable:
    with database.reading() as session:
        chosen = choose(session, runs, baseline, fewest=1)
        return RowTable.of(sides.build(settings, chosen, against_base=against_base), score)


def found(shown: RowTable, **query: Any) -> list[int]:
    return row_query.find(shown, RowQuery(**query))


@pytest.fixture
def two(database: Database, settings: Settings) -> list[int]:
    """A baseline that knows half of each reference, and a run that knows all of two, loops in one and is silent."""
    first = add_answered(database, settings, HALF, perplexities=[4, 4, 4, 4])
    answered = [REFERENCES[0], REFERENCES[1], LOOP, ""]
    ended = [True, True, False, True]
    return [first, add_answered(database, settings, answered, perplexities=[2, 4, 8, 4], ended=ended)]


def test_a_run_is_set_against_the_baseline_and_a_run_alone_against_its_base(
    database: Database, settings: Settings, two: list[int]
) -> None:
    both = table(database, settings, two).sides
    assert [side.name for side in both.every] == ["base", *map(str, two)]
    assert both.tuned[1].before == both.baseline == both.tuned[0]
    alone = table(database, settings, two[1:]).sides
    assert alone.baseline is None
    assert alone.tuned[0].before == alone.bases[0]


def test_better_and_worse_follow_the_chosen_score(database: Database, settings: Settings, two: list[int]) -> None:
    by_rouge = table(database, settings, two)
    run = by_rouge.sides.tuned[1]
    tally = by_rouge.tally(run)
    assert (tally["better"], tally["worse"]) == (2, 2)
    by_perplexity = table(database, settings, two, score="perplexity")
    tally = by_perplexity.tally(by_perplexity.sides.tuned[1])
    assert (tally["better"], tally["worse"]) == (1, 1)
    assert by_perplexity.gains(by_perplexity.sides.tuned[1]) == pytest.approx([math.log(2), 0, -math.log(2), 0])


def test_what_is_wrong_with_an_answer_is_marked(database: Database, settings: Settings, two: list[int]) -> None:
    shown = table(database, settings, two)
    marks = shown.marks(shown.sides.tuned[1])
    assert marks[2] == {"worse", "repeats", "cut", "longer"}
    assert marks[3] == {"worse", "empty"}
    assert not {"repeats", "empty", "cut", "longer"} & marks[0]


def test_the_same_words_are_the_same_answer(database: Database, settings: Settings) -> None:
    runs = [add_answered(database, settings, HALF), add_answered(database, settings, [*HALF[:3], LOOP])]
    shown = table(database, settings, runs)
    assert shown.tally(shown.sides.tuned[1])["same"] == 3


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"sort": "row"}, [10, 20, 30, 40]),
        ({"sort": "improved"}, [10, 20]),
        ({"sort": "regressed"}, [40, 30]),
        ({"sort": "worst"}, [40, 30]),
        ({"sort": "row", "only": ("worse",)}, [30, 40]),
        ({"sort": "row", "only": ("worse", "cut")}, [30]),
        ({"sort": "row", "only": ("shorter",), "of": "base"}, [10, 20, 30, 40]),
        ({"sort": "row", "find": "NURSE"}, [20, 30]),
        ({"sort": "row", "find": "nurse cuff"}, [20]),
        ({"sort": "row", "find": "Question 40"}, [40]),
        ({"sort": "row", "find": "zebra"}, []),
    ],
)
def test_rows_are_found_and_ordered(
    database: Database, settings: Settings, two: list[int], query: dict[str, Any], expected: list[int]
) -> None:
    shown = found(table(database, settings, two), **query)
    assert shown[: len(expected)] == expected
    if query["sort"] == "row":
        assert shown == expected


def test_the_row_that_runs_disagree_on_comes_first(database: Database, settings: Settings) -> None:
    others = [REFERENCES[0], "Quite another thing altogether", REFERENCES[2], REFERENCES[3] + " Maybe."]
    runs = [add_answered(database, settings, REFERENCES), add_answered(database, settings, others)]
    assert found(table(database, settings, runs), sort="disagreement") == [20, 40, 10, 30]


def test_runs_that_were_asked_something_else_are_not_set_against_each_other(
    database: Database, settings: Settings
) -> None:
    runs = [
        add_answered(database, settings, HALF),
        add_answered(database, settings, REFERENCES, fingerprint="other", perplexity_key="other"),
        add_answered(database, settings, REFERENCES, perplexity_key="another tokenizer", baseline_key="other"),
    ]
    by_rouge = table(database, settings, runs)
    other, tokenizer = by_rouge.sides.tuned[1:]
    assert all(math.isnan(gain) for gain in by_rouge.gains(other))
    assert not any(math.isnan(gain) for gain in by_rouge.gains(tokenizer))
    by_perplexity = table(database, settings, runs, score="perplexity")
    assert all(math.isnan(gain) for gain in by_perplexity.gains(by_perplexity.sides.tuned[2]))
    read = rows.read(settings, by_rouge, [10])[0].answers
    assert [answer.gains["rouge_l"] is None for answer in read if answer] == [True, True, True, True, False]


def test_a_row_of_another_data_set_is_another_row(database: Database, settings: Settings) -> None:
    elsewhere = ["Something else.", *REFERENCES[1:]]
    runs = [
        add_answered(database, settings, HALF),
        add_answered(database, settings, HALF, references=elsewhere, numbers=[10, 20, 30, 50]),
    ]
    shown = table(database, settings, runs)
    assert shown.answered(shown.sides.tuned[1]) == 2
    first = rows.read(settings, shown, [10, 20])
    assert first[0].answers[-1] is None
    assert first[1].answers[-1] is not None


def test_bases_that_differ_stand_apart_and_every_run_keeps_to_its_own(database: Database, settings: Settings) -> None:
    runs = [
        add_answered(database, settings, HALF, base=HALF, baseline_key="nf4"),
        add_answered(database, settings, REFERENCES, base=[LOOP] * 4, baseline_key="int8"),
        add_answered(database, settings, REFERENCES, base=HALF, baseline_key="nf4"),
    ]
    shown = table(database, settings, runs, against_base=True)
    assert [side.name for side in shown.sides.bases] == [f"base-{runs[0]}", f"base-{runs[1]}"]
    assert [side.before and side.before.name for side in shown.sides.tuned] == [
        f"base-{runs[0]}",
        f"base-{runs[1]}",
        f"base-{runs[0]}",
    ]


def test_runs_without_answers_are_left_out_and_say_why(database: Database, settings: Settings, two: list[int]) -> None:
    running = add_run(database, RunStatus.RUNNING)
    failed = add_run(database, RunStatus.FAILED)
    shown = table(database, settings, [running, failed, *two], baseline=running).sides
    assert [(out.run.id, out.reason) for out in shown.left_out] == [
        (running, "its answers follow when it has finished"),
        (failed, "it failed: no answers were kept"),
    ]
    assert shown.baseline is not None
    assert shown.baseline.run.id == two[0]
    nothing = table(database, settings, [running])
    assert found(nothing) == []
    assert rows.read(settings, nothing, []) == []


def test_an_old_answer_may_have_been_cut_off(database: Database, settings: Settings) -> None:
    run = add_answered(database, settings, REFERENCES, ended=[None] * 4)
    side = table(database, settings, [run]).sides.tuned[0]
    assert not any(side.answers.ends_known)
    assert not any("cut" in marks for marks in side.answers.marks)


def test_answers_that_were_written_anew_are_read_anew(database: Database, settings: Settings, two: list[int]) -> None:
    before = table(database, settings, two)
    assert before.tally(before.sides.tuned[0])["empty"] == 0
    write_answers(settings, two[0], [""] * 4)
    after = table(database, settings, two)
    assert after.tally(after.sides.tuned[0])["empty"] == 4


def test_of_a_long_file_the_first_rows_are_read(
    database: Database, settings: Settings, two: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "MOST_ROWS", 3)
    shown = table(database, settings, two)
    assert list(shown.numbers) == [10, 20, 30]
    assert not any(side.answers.is_whole for side in shown.sides.every)
    monkeypatch.setattr(answers, "MOST_ROWS", 4)
    assert all(side.answers.is_whole for side in table(database, settings, two).sides.every)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"sort": "luck"}, "sort"),
        ({"only": ("better", "nicer")}, "only"),
        ({"of": "999"}, "of"),
        ({"find": "x" * 201}, "find"),
    ],
)
def test_what_is_not_there_to_be_asked_for_is_named(
    database: Database, settings: Settings, two: list[int], query: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        found(table(database, settings, two), **query)
    assert [error.field for error in caught.value.errors] == [field]


def test_a_row_that_nobody_answered_is_not_found(database: Database, settings: Settings, two: list[int]) -> None:
    shown = table(database, settings, two)
    assert row_query.alone(shown, 30) == [30]
    with pytest.raises(NotFound):
        row_query.alone(shown, 31)


def test_texts_are_those_of_the_row_whatever_the_order_of_the_files(database: Database, settings: Settings) -> None:
    first = add_answered(database, settings, ["a é 熱", "b", "c", "d"], numbers=[4, 3, 2, 1])
    second = add_answered(database, settings, ["w", "x", "y", "z"], numbers=[4, 3, 2, 1])
    shown = rows.read(settings, table(database, settings, [first, second]), [2, 4])
    assert [(row.number, [answer.text for answer in row.answers[1:] if answer]) for row in shown] == [
        (2, ["c", "y"]),
        (4, ["a é 熱", "w"]),
    ]
    assert [answer.before for answer in shown[0].answers[1:] if answer] == [None, "c"]


def test_facts_are_those_of_the_row(database: Database, settings: Settings, two: list[int]) -> None:
    shown = rows.read(settings, table(database, settings, two), [20, 30])
    first, second = (row.answers[2] for row in shown)
    assert first is not None
    assert second is not None
    assert (first.words, second.words) == (13, 42)
    assert first.repetition < 0.1 < 0.7 < second.repetition
    assert first.scores["rouge_l"] == 1
