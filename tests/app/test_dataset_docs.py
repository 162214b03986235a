"""docs/datasets.md says what the code does."""

import re

import pytest

from app.data import prompts
from app.data.dataset_import import conversations, formats, near_duplicates, records, shapes
from app.data.dataset_import.statistics import DEFAULT
from app.data.split import LEAK_CHARACTERS
from app.settings import ROOT

TEXT = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")


def cells(row_begins_with: str, column: int) -> list[str]:
    (line,) = [line for line in TEXT.splitlines() if line.startswith(f"| {row_begins_with} ")]
    return re.findall(r"`([^`]+)`", line.split("|")[column + 1])


@pytest.mark.parametrize("format", formats.FORMATS)
def test_every_format_is_listed_with_its_names(format: str) -> None:
    assert cells(f"`{format}`", 1) == [suffix for suffix, name in formats.EXTENSIONS.items() if name == format]


def test_every_column_is_listed_under_its_part() -> None:
    rows = {"prompt": "what is asked", "input": "more to it", "response": "the answer", "messages": "a conversation",
            "group": "what belongs"}  # fmt: skip
    assert {part: tuple(cells(row, 1)) for part, row in rows.items()} == shapes.NAMES
    assert [cells(row, 2) for row in rows.values()] == [[part] for part in rows]


def test_limits_and_thresholds_are_those_of_the_code() -> None:
    assert f"A row may have {records.MAX_ROW_BYTES // 1_000_000} MB" in TEXT
    assert f"of {LEAK_CHARACTERS} characters or more" in TEXT
    assert f"similarity of {near_duplicates.THRESHOLD} or more" in TEXT
    assert f"The first {near_duplicates.MAX_WORDS:,} words" in TEXT
    assert f"seed {DEFAULT.split_seed}, a tenth held out" in TEXT
    assert DEFAULT.eval_fraction == 0.1
    assert all(f"`{role}`" in TEXT for role in conversations.ROLES)


def test_the_template_shown_can_be_used() -> None:
    (template,) = re.findall(r"```\n(Question.*?)```", TEXT, re.DOTALL)
    assert prompts.check(template) is None
    named = TEXT.split("the filters ")[1].split(".")[0]
    assert re.findall(r"`(\w+)`", named) == list(prompts.FILTERS)
