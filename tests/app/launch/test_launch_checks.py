from collections.abc import Callable
from typing import Any

import pytest

from app.db import Database
from app.errors import Invalid
from app.launch import launch_checks
from app.models import Dataset
from app.run_config import RunConfig
from app.settings import Settings

Check = Callable[..., list[str]]


@pytest.fixture
def check(dataset: Dataset, settings: Settings, database: Database) -> Check:
    """check(max_length=..., ...): warnings of a launch on the data set; settings of `data` by name."""

    def run(base_model: str = "org/name", **data: Any) -> list[str]:
        values = {"model": {"base_model": base_model}, "data": {"dataset": dataset.id, **data}}
        with database.writing() as session:
            warnings = launch_checks.check(session, settings, RunConfig.model_validate(values))
            assert not session.in_transaction()
            return warnings

    return run


def refused(check: Check, *arguments: Any, **data: Any) -> list[str]:
    with pytest.raises(Invalid) as caught:
        check(*arguments, **data)
    return [error.field for error in caught.value.errors]


def test_a_usable_configuration_passes(check: Check) -> None:
    assert check(eval_fraction=0.3, split_seed=7) == []


def test_everything_that_is_wrong_is_told_at_once(check: Check) -> None:
    wrong = refused(check, "nowhere", prompt_template="{{ nothing }}", eval_fraction=0.0001)
    assert wrong == ["data.prompt_template", "model.base_model", "data.eval_fraction"]


def test_a_data_set_that_is_not_there_is_told(check: Check) -> None:
    assert refused(check, dataset=99) == ["data.dataset"]


def test_near_duplicates_of_the_default_split_stand_beside_its_runs(
    check: Check, dataset: Dataset, database: Database
) -> None:
    with database.writing() as session:
        near = {**dataset.statistics["near_duplicates"], "rows": 2, "checked": 6}
        stored = session.get_one(Dataset, dataset.id)
        stored.statistics = {**dataset.statistics, "near_duplicates": near}
        session.commit()
    (warning,) = check()
    assert warning.startswith("2 of 6 held-out prompts nearly repeat a training prompt")
    assert check(split_seed=7) == []
