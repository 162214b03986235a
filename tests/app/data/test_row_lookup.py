"""Rows of a stored data set by their number."""

from app.data.row_lookup import look_up
from app.models import Dataset
from app.settings import Settings


def test_rows_are_found_by_number(settings: Settings, dataset: Dataset) -> None:
    found = look_up(settings, dataset.id, [12, 3])
    assert {number: row.prompt for number, row in found.items()} == {3: "Count one four", 12: "Count two three"}


def test_of_a_data_set_that_is_gone_no_row_is_known(settings: Settings) -> None:
    assert look_up(settings, 7, [1]) == {}
    assert look_up(settings, None, [1]) == {}
