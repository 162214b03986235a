"""The experiment table: who is ranked with whom, what is best, and what is said where runs do not compare."""

import pytest

from app.board.leaderboard import Leaderboard, build
from app.board.run_columns import TABLE, parse_columns
from app.board.run_filter import parse_filter
from app.db import Database
from app.errors import Invalid
from app.models import Dataset
from app.status import RunStatus
from tests.stored_runs import add_completed, add_run, config


def board(database: Database, sort: str = "eval/perplexity", **options: object) -> Leaderboard:
    with database.reading() as session:
        return build(session, sort=sort, **options)  # type: ignore[arg-type]


def order(found: Leaderboard) -> list[list[int | None]]:
    return [[row.run.id for row in group.rows] for group in found.groups]


def marks(found: Leaderboard) -> dict[int, set[str]]:
    return {row.run.id or 0: set(row.best) for group in found.groups for row in group.rows if row.best}


def test_an_empty_database_has_an_empty_table(database: Database) -> None:
    found = board(database)
    assert (found.groups, found.unranked, found.total, found.next_cursor) == ([], [], 0, None)


def test_comparable_runs_are_one_group_best_first(database: Database) -> None:
    middle, best, worst, none = (add_completed(database, value) for value in (20.0, 17.0, 25.0, None))
    found = board(database)
    assert order(found) == [[best, middle, worst, none]]
    assert [row.rank for row in found.groups[0].rows] == [1, 2, 3, None]
    assert found.groups[0].reason == ""


def test_the_best_of_each_metric_is_marked_in_its_own_direction(database: Database) -> None:
    low = add_completed(database, 10.0, bleu=0.1, rouge_l=0.5)
    high = add_completed(database, 20.0, bleu=0.9, rouge_l=0.5)
    both = {"eval/rouge_l"}  # a tie is no reason to hide one of them
    assert marks(board(database)) == {low: {"eval/perplexity"} | both, high: {"eval/bleu"} | both}


def test_alone_nothing_is_best(database: Database) -> None:
    add_completed(database, 10.0)
    assert marks(board(database)) == {}


def test_what_was_asked_something_else_is_not_ranked_together(database: Database) -> None:
    longer = config(data__max_length=1024, data__dataset=2)
    with database.writing() as session:
        shape = {"sha256": "", "format": "jsonl", "rows": 1, "train_rows": 1, "eval_rows": 1, "columns": []}
        session.add_all([Dataset(id=1, name="small", **shape), Dataset(id=2, name="large", **shape)])
        session.commit()
    other = add_completed(database, 1.0, fingerprint="other", perplexity_key="other", config=longer)
    mine = add_completed(database, 30.0)
    found = board(database)
    assert order(found) == [[mine], [other]], "the group with the newest result comes first"
    assert [row.rank for group in found.groups for row in group.rows] == [1, 1]
    for sort in ("-bleu", "lora.r", "name"):
        assert order(board(database, sort)) == [[mine], [other]]
        assert marks(board(database, sort)) == {}, "and neither is best beside the other"
    reason = found.groups[1].reason
    assert "asked something else" in reason
    assert "data set large instead of small" in reason
    assert "max length 1024 instead of 512" in reason
    assert "learning rate" not in reason
    assert found.groups[0].shares.startswith("small, 30 held-out rows")


def test_another_tokenizer_splits_perplexity_and_nothing_else(database: Database) -> None:
    """BLEU compares between tokenizers, perplexity does not."""
    other = config(model__base_model="other/model")
    theirs = [
        add_completed(database, value, bleu, perplexity_key="theirs", config=other)
        for value, bleu in ((2.0, 0.1), (3.0, 0.2))
    ]
    ours = [add_completed(database, value, bleu) for value, bleu in ((20.0, 0.3), (30.0, 0.4))]
    by_perplexity = board(database)
    assert order(by_perplexity) == [ours, theirs]
    assert "counts other tokens: base model other/model instead of some/model" in by_perplexity.groups[1].reason
    by_bleu = board(database, "-eval/bleu")
    assert order(by_bleu) == [[ours[1], ours[0], theirs[1], theirs[0]]]
    assert [row.rank for row in by_bleu.groups[0].rows] == [1, 2, 3, 4]
    for found in (by_perplexity, by_bleu):
        best_perplexity = {run for run, names in marks(found).items() if "eval/perplexity" in names}
        assert best_perplexity == {ours[0], theirs[0]}


def test_quantisation_and_base_weights_are_settings_to_compare(database: Database) -> None:
    four_bit = add_completed(database, 20.0, baseline_key="nf4")
    whole = add_completed(database, 19.0, baseline_key="none", config=config(quantization__method="none"))
    (group,) = board(database).groups
    assert [row.run.id for row in group.rows] == [whole, four_bit]
    assert {(base.baseline_key, base.quantization) for base in group.bases} == {("nf4", "nf4"), ("none", "none")}
    assert group.bases[0].metrics["perplexity"] == 40.0


def test_the_same_settings_with_another_content_say_so(database: Database) -> None:
    add_completed(database, 1.0, fingerprint="old", perplexity_key="old")
    add_completed(database, 1.0)
    assert "content" in board(database).groups[1].reason


@pytest.mark.parametrize(
    ("sort", "expected", "ranked"),
    [
        ("eval/perplexity", [2, 1, 3], True),
        ("-perplexity", [3, 1, 2], False),
        ("-bleu", [1, 2, 3], True),
        ("bleu", [3, 2, 1], False),
        ("lora.r", [3, 1, 2], False),
        ("-train_seconds", [3, 2, 1], False),
        ("name", [2, 3, 1], False),
    ],
)
def test_any_column_sorts_and_only_the_best_first_ranks(
    database: Database, sort: str, expected: list[int], ranked: bool
) -> None:
    add_completed(database, 20.0, 0.9, name="c", config=config(lora__r=8))
    add_completed(database, 10.0, 0.8, name="A", config=config(lora__r=16))
    add_completed(database, 30.0, 0.7, name="b", config=config(lora__r=4))
    found = board(database, sort)
    assert order(found) == [expected]
    assert [row.rank for row in found.groups[0].rows] == ([1, 2, 3] if ranked else [None] * 3)


def test_pages_of_the_table_cross_its_groups(database: Database) -> None:
    for place in range(7):
        add_completed(database, float(place), fingerprint=f"f{place % 2}", perplexity_key=f"f{place % 2}")
    whole = board(database)
    seen: list[int | None] = []
    ranks: list[int | None] = []
    cursor: str | None = None
    while True:
        found = board(database, limit=2, cursor=cursor)
        assert found.total == 7
        seen += [row.run.id for group in found.groups for row in group.rows]
        ranks += [row.rank for group in found.groups for row in group.rows]
        cursor = found.next_cursor
        if cursor is None:
            break
    assert seen == [run for group in order(whole) for run in group]
    assert ranks == [1, 2, 3, 4, 1, 2, 3]


def test_runs_without_a_result_stand_apart(database: Database) -> None:
    done = add_completed(database, 1.0)
    waiting, failed = add_run(database), add_run(database, RunStatus.FAILED)
    found = board(database)
    assert order(found) == [[done]]
    assert [row.run.id for row in found.unranked] == [failed, waiting]


def test_the_filter_decides_what_is_compared(database: Database) -> None:
    best = add_completed(database, 1.0, experiment="other", tags=["x"])
    second, third = add_completed(database, 2.0), add_completed(database, 3.0, notes="x marks it")
    assert order(board(database, runs=parse_filter("study"))) == [[second, third]]
    assert marks(board(database, runs=parse_filter("study")))[second] >= {"eval/perplexity"}
    assert order(board(database, runs=parse_filter(text="x"))) == [[best, third]]
    assert board(database, runs=parse_filter(status="failed")).groups == []


def test_results_whose_measurement_is_unknown_do_not_mix_with_measured_ones(database: Database) -> None:
    add_completed(database, 1.0, fingerprint=None, perplexity_key=None, baseline_key=None)
    add_completed(database, 2.0)
    found = board(database)
    assert len(found.groups) == 2
    assert "not known" in found.groups[1].reason


def test_the_rows_have_the_twelve_columns(database: Database) -> None:
    add_completed(database, 12.5, notes="why", config=config(training__learning_rate=5e-4))
    found = board(database)
    assert len(TABLE) == 12
    assert [column.label for column in found.columns] == [
        "Name",
        "Learning rate",
        "Batch size",
        "LoRA r",
        "LoRA alpha",
        "Epochs",
        "Perplexity",
        "BLEU",
        "ROUGE-L",
        "Training time",
        "Memory",
        "Notes",
    ]
    values = found.groups[0].rows[0].values
    assert (values["training.learning_rate"], values["eval/perplexity"], values["notes"]) == (5e-4, 12.5, "why")
    assert values["peak_memory_bytes"] is None


def test_columns_and_sorts_that_are_not_there_are_named(database: Database) -> None:
    with pytest.raises(Invalid, match="columns: There is no column colour"):
        parse_columns("name,colour")
    with pytest.raises(Invalid, match="sort: There is no column colour"):
        board(database, "-colour")
    with pytest.raises(Invalid, match="cursor"):
        board(database, cursor="x")
