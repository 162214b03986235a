"""What the columns of the table are called, and how they are drawn."""

import pytest

from app.board.run_columns import TABLE, parse_columns
from app.web.board_page.cells import Scale
from app.web.board_page.chooser import canonical, choosable
from app.web.board_page.heads import Block, broken, heads


def test_long_names_are_broken_near_their_middle() -> None:
    assert broken("Learning rate") == ("Learning", "rate")
    assert broken("LoRA r") == ("LoRA", "r")
    assert broken("Time per 1,000 examples") == ("Time per 1,000", "examples")
    assert broken("Epochs") == ("Epochs",)


def test_every_column_that_can_be_chosen_can_be_drawn() -> None:
    assert {head.kind for head in heads(choosable())} == {"number", "word", "metric", "cost", "moment", "text", "note"}


def test_intervals_stand_behind_the_first_metric_that_has_them() -> None:
    shown = heads(parse_columns("eval/loss,eval/bleu,eval/perplexity"))
    assert [head.name for head in shown if head.has_intervals] == ["eval/bleu"]


def test_a_run_without_a_result_has_one_cell_for_the_measured_columns_beside_each_other() -> None:
    block = Block.of(heads(TABLE))
    assert (block.first, block.count, block.span) == (6, 5, 6)
    assert 6 in block
    assert 11 not in block
    assert Block.of(heads(parse_columns("name,lora.r"))).span == 0


def test_chosen_columns_stand_in_the_usual_order_and_the_usual_ones_are_not_in_the_address() -> None:
    names = [column.name for column in TABLE]
    assert canonical([*reversed(names)]) == ""
    assert canonical(["notes", "eval/bleu:best", "training.seed", "eval/bleu"]) == (
        "name,training.seed,eval/bleu,eval/bleu:best,notes"
    )
    assert canonical(["fame", "notes"]) == "name,notes,fame"


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("peak_memory_bytes", 4.2e9, ("4.2", "GB")),
        ("train_seconds", 2700.0, ("45", "min")),
        ("train_seconds", 8.25, ("8.2", "s")),
        ("trainable_parameters", 6_307_840, ("6.3", "M")),
        ("tokens_per_second", 2128.0, ("2,128", "tokens/s")),
    ],
)
def test_a_column_of_costs_has_one_unit_that_suits_it(name: str, value: float, shown: tuple[str, str]) -> None:
    cell = Scale.of(parse_columns(name)[0], [value, None]).cell(value, None, "")
    assert (cell.value, cell.unit) == shown
