"""Which runs a comparison is of, and which of them is the baseline."""

import pytest
from sqlmodel import Session

from app import experiments
from app.compare.chosen import MOST_RUNS, Chosen, candidates, choose, of_experiment, parse_runs
from app.db import Database
from app.errors import Invalid
from tests.stored_runs import add_completed, add_run


def chosen(database: Database, wanted: list[int], baseline: int | None = None, fewest: int = 2) -> Chosen:
    with database.reading() as session:
        return choose(session, wanted, baseline, fewest=fewest)


def refusal(database: Database, wanted: list[int]) -> str:
    with pytest.raises(Invalid) as caught:
        chosen(database, wanted)
    assert [error.field for error in caught.value.errors] == ["runs"]
    return caught.value.errors[0].message


def set_baseline(session: Session, run_id: int) -> None:
    experiments.patch_experiment(session, 1, {"baseline_run": run_id})


@pytest.mark.parametrize(
    ("texts", "ids"), [(["1,2", "3"], [1, 2, 3]), ([" 3 ,, 1,3"], [3, 1]), ([], []), (["007"], [7])]
)
def test_ids_come_with_commas_or_one_at_a_time_each_once(texts: list[str], ids: list[int]) -> None:
    assert parse_runs(texts) == ids


@pytest.mark.parametrize("text", ["x", "1,-2", "1.5", "9" * 30, "²"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="is not the id of a run"):
        parse_runs([text])


def test_so_many_ids_are_refused_before_they_are_read() -> None:
    with pytest.raises(Invalid, match="At most 100 runs"):
        parse_runs([",".join("x" * 2000)])


def test_the_experiments_baseline_comes_first_and_the_others_as_they_were_asked_for(database: Database) -> None:
    first, second, third = (add_completed(database, 20.0 + n) for n in range(3))
    assert chosen(database, [third, second, first]).ids == [first, third, second]
    with database.writing() as session:
        set_baseline(session, second)
    assert chosen(database, [third, second, first]).ids == [second, third, first]


def test_a_baseline_that_was_not_among_them_is(database: Database) -> None:
    first, second, third = (add_completed(database, 20.0 + n) for n in range(3))
    found = chosen(database, [second], baseline=third)
    assert found.ids == [third, second]
    assert found.slots == {third: "b", second: "1"}
    assert chosen(database, [second, third]).ids == [second, third], "neither is its experiment's"
    assert first not in found.ids


def test_runs_that_are_gone_are_left_out_and_named(database: Database) -> None:
    ids = [add_completed(database, 20.0 + n) for n in range(2)]
    assert chosen(database, [*ids, 99]).missing == (99,)
    assert chosen(database, ids, baseline=99).ids == ids
    assert "there is no run 99" in refusal(database, [ids[0], 99])


def test_one_run_is_too_few_and_101_are_too_many(database: Database) -> None:
    only = add_completed(database, 20.0)
    assert "two runs or more" in refusal(database, [only])
    assert chosen(database, [only], fewest=1).ids == [only]
    assert "these are 101" in refusal(database, list(range(1, MOST_RUNS + 2)))


def test_more_than_seven_others_have_no_colours(database: Database) -> None:
    ids = [add_run(database) for _ in range(9)]
    assert list(chosen(database, ids[:8]).slots.values()) == ["b", "1", "2", "3", "4", "5", "6", "7"]
    assert set(chosen(database, ids).slots.values()) == {"b", ""}


def test_runs_to_add_are_the_other_ones_of_the_experiment(database: Database) -> None:
    ids = [add_completed(database, 20.0 + n) for n in range(3)]
    waiting, elsewhere = add_run(database), add_completed(database, 9.0, experiment="another")
    with database.reading() as session:
        found = [run.id for run in candidates(session, choose(session, ids[:2], None))]
    assert found == [ids[2], waiting]
    assert elsewhere not in found


def test_of_a_large_experiment_the_best_are_compared_and_its_baseline(database: Database) -> None:
    ids = [add_completed(database, 50.0 - n) for n in range(MOST_RUNS + 3)]
    add_run(database)
    with database.reading() as session:
        assert of_experiment(session, 1) == [ids[0], *ids[4:]]
