from pathlib import Path

import pytest

from app.config_sections import DataConfig, EvaluationConfig
from app.data import leaks
from app.data.dataset_import.store import Store
from app.data.rows import Row
from app.data.split import key, split
from app.errors import Invalid

LONG = "This answer is longer than forty characters, so it can tell of a leak"


def store(folder: Path, rows: list[Row]) -> Path:
    with Store(folder) as files:
        for row in rows:
            files.add(row)
    return folder


def refusal(folder: Path, max_eval_rows: int = 250, **data: object) -> tuple[str, str]:
    config = DataConfig.model_validate({"dataset": 1, **data})
    with pytest.raises(Invalid) as caught:
        leaks.check(folder, config, EvaluationConfig(max_eval_rows=max_eval_rows))
    (error,) = caught.value.errors
    return error.field, error.message


def test_sides_are_those_of_the_split(tmp_path: Path) -> None:
    rows = [Row(f"Ask {n}", "", f"Tell {n}") for n in range(300)]
    data = DataConfig(dataset=1, validation_fraction=0.2, max_train_rows=100, split_seed=7)
    sides = leaks.check(store(tmp_path, rows), data, EvaluationConfig(max_eval_rows=20))
    expected = split(
        [row.key for row in rows],
        seed=7, eval_fraction=0.1, validation_fraction=0.2, max_train_rows=100, max_eval_rows=20,
    )  # fmt: skip
    assert (sides.train, sides.validation, sides.held_out) == (100, len(expected.validation), 20)
    assert (sides.total, sides.leaked, sides.example) == (300, 0, None)


def test_a_response_on_both_sides_is_refused_unless_allowed(tmp_path: Path) -> None:
    rows = [Row(f"Ask {n}", "", f"Tell {n}") for n in range(300)]
    sides = split([row.key for row in rows], seed=42, eval_fraction=0.1)
    held_out, trained = sides.held_out[3], sides.train[5]
    rows[held_out] = Row(rows[held_out].instruction, "", LONG)
    rows[trained] = Row(rows[trained].instruction, "", LONG.upper() + "!")
    field, message = refusal(store(tmp_path, rows))
    assert field == "data.allow_leakage"
    assert message.startswith(f"1 of {len(sides.held_out)} held-out rows")
    assert f"row {held_out + 1} has that of row {trained + 1}" in message
    allowed = leaks.check(tmp_path, DataConfig(dataset=1, allow_leakage=True), EvaluationConfig())
    assert (allowed.leaked, allowed.example) == (1, (held_out, trained))


def test_only_rows_that_the_run_uses_can_leak(tmp_path: Path) -> None:
    rows = [Row(f"Ask {n}", "", f"Tell {n}") for n in range(300)]
    sides = split([row.key for row in rows], seed=42, eval_fraction=0.1)
    rows[sides.held_out[9]] = Row(rows[sides.held_out[9]].instruction, "", LONG)
    rows[sides.train[50]] = Row(rows[sides.train[50]].instruction, "", LONG)
    folder = store(tmp_path, rows)
    assert refusal(folder, max_eval_rows=10)[0] == "data.allow_leakage"
    assert leaks.check(folder, DataConfig(dataset=1), EvaluationConfig(max_eval_rows=9)).leaked == 0
    assert leaks.check(folder, DataConfig(dataset=1, max_train_rows=50), EvaluationConfig()).leaked == 0


def test_short_responses_repeat_honestly(tmp_path: Path) -> None:
    rows = [Row(f"Ask {n}", "", "x" * 39) for n in range(100)]
    assert leaks.check(store(tmp_path, rows), DataConfig(dataset=1), EvaluationConfig()).leaked == 0


def test_too_few_rows_for_a_side_is_an_error_of_its_share(tmp_path: Path) -> None:
    folder = store(tmp_path, [Row(f"Ask {n}", "", f"Tell {n}") for n in range(20)])
    assert refusal(folder, eval_fraction=0.001) == (
        "data.eval_fraction",
        "With a share of 0.001 of 20 rows none is held out: use a larger share or more rows",
    )
    field, message = refusal(folder, eval_fraction=0.999)
    assert field == "data.eval_fraction"
    assert "none is left to train on" in message
    assert refusal(folder, eval_fraction=0.3, validation_fraction=0.0001)[0] == "data.validation_fraction"


def test_one_group_cannot_be_on_both_sides(tmp_path: Path) -> None:
    folder = store(tmp_path, [Row(f"Ask {n}", "", f"Tell {n}", group="all") for n in range(50)])
    assert refusal(folder)[0] == "data.eval_fraction"


def test_a_data_set_whose_files_are_gone_says_so(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none")[0] == "data.dataset"


def test_a_measured_split_is_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = store(tmp_path, [Row(f"Ask {n}", "", f"Tell {n}") for n in range(50)])
    first = leaks.measure(folder, DataConfig(dataset=1))
    monkeypatch.setattr(leaks.row_keys, "read", lambda _: pytest.fail("read again"))
    assert leaks.measure(folder, DataConfig(dataset=1)) == first


def test_equal_prompts_have_equal_keys() -> None:
    assert key("What is A?") == key("  what IS a ")
