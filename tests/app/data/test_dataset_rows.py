from pathlib import Path

import pytest

from app.data import dataset_rows
from app.data.dataset_import.store import Store
from app.data.rows import Message, Row
from app.data.split import split
from app.errors import Invalid

ROWS = [Row(f'Ask "{n}"', "", f"Tell ÄÖ {n}\nmore") for n in range(25)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Store(tmp_path) as files:
        for row in ROWS:
            files.add(row)
    return tmp_path


def test_pages_follow_each_other_without_gap_or_repeat(folder: Path) -> None:
    numbers, cursor = [], None
    while True:
        page = dataset_rows.page(folder, limit=10, cursor=cursor)
        numbers += [item.number for item in page.items]
        if not (cursor := page.next_cursor):
            break
    assert numbers == list(range(25))


def test_a_page_may_begin_at_a_row(folder: Path) -> None:
    page = dataset_rows.page(folder, limit=3, offset=20)
    assert [(item.number, item.row) for item in page.items] == [(n, ROWS[n]) for n in (20, 21, 22)]
    assert dataset_rows.page(folder, limit=3, offset=99) == dataset_rows.RowsPage([], None)
    assert dataset_rows.page(folder, limit=5, offset=20).next_cursor is None


@pytest.mark.parametrize("text", ['ask "17"', "äö 17", "17\nMORE", " 17\n"])
def test_a_search_looks_at_the_text_and_not_at_its_json(folder: Path, text: str) -> None:
    assert [item.number for item in dataset_rows.page(folder, limit=9, search=text).items] == [17]


def test_a_search_looks_at_every_turn_and_the_group(tmp_path: Path) -> None:
    talk = tuple(
        Message(role, text)
        for role, text in (("user", "a"), ("assistant", "b"), ("user", "needle"), ("assistant", "c"))
    )
    with Store(tmp_path) as files:
        files.add(Row(messages=talk, group="Topic"))
    for text, found in (("needle", 1), ("topic", 1), ("user", 0)):
        assert len(dataset_rows.page(tmp_path, limit=9, search=text).items) == found


def test_a_long_search_hands_back_a_cursor(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset_rows, "SEARCHED_ROWS", 10)
    page = dataset_rows.page(folder, limit=5, search="tell äö 17")
    assert page.items == []
    page = dataset_rows.page(folder, limit=5, search="tell äö 17", cursor=page.next_cursor)
    assert [item.number for item in page.items] == [17]


@pytest.mark.parametrize("cursor", ["x", "1", "1.x", "1.5", "-1.0", "1.99999999999999999999", "1.1000000", "²."])
def test_a_cursor_that_is_not_ours_is_refused(folder: Path, cursor: str) -> None:
    with pytest.raises(Invalid, match="cursor"):
        dataset_rows.page(folder, limit=5, cursor=cursor)


def test_the_side_is_that_of_the_default_split(folder: Path) -> None:
    sides = split([row.key for row in ROWS], seed=42, eval_fraction=0.1)
    page = dataset_rows.page(folder, limit=50)
    assert {item.number for item in page.items if item.is_held_out} == set(sides.held_out)
