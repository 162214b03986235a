import pytest

from app.data.rows import Message, Row
from app.data.split import key, normalise, place, split

KEYS = [key(f"question {i}") for i in range(1000)]


def test_sides_cover_every_row_once() -> None:
    parts = split(KEYS, seed=42, eval_fraction=0.1, validation_fraction=0.2)
    assert sorted(parts.train + parts.validation + parts.held_out) == list(range(1000))


def test_shares_are_what_was_asked_for() -> None:
    parts = split(KEYS, seed=42, eval_fraction=0.1, validation_fraction=0.2)
    assert len(parts.held_out) == pytest.approx(100, abs=30)
    assert len(parts.validation) == pytest.approx(180, abs=40)


def test_equal_prompts_never_fall_on_both_sides() -> None:
    twins = [key(f"  What causes gout{i}?") for i in range(500)] + [key(f"what causes GOUT{i}") for i in range(500)]
    held_out = set(split(twins, seed=7, eval_fraction=0.3).held_out)
    assert all((i in held_out) == (i + 500 in held_out) for i in range(500))


def test_smaller_sets_nest_in_larger_ones() -> None:
    small = split(KEYS, seed=1, eval_fraction=0.2, max_train_rows=50, max_eval_rows=20)
    large = split(KEYS, seed=1, eval_fraction=0.2, max_train_rows=100, max_eval_rows=40)
    assert large.train[:50] == small.train
    assert large.held_out[:20] == small.held_out


def test_the_split_does_not_depend_on_the_order_of_the_file() -> None:
    forward = {KEYS[i] for i in split(KEYS, seed=3, eval_fraction=0.2).held_out}
    turned = KEYS[::-1]
    assert {turned[i] for i in split(turned, seed=3, eval_fraction=0.2).held_out} == forward


def test_another_seed_holds_out_other_rows() -> None:
    assert split(KEYS, seed=1, eval_fraction=0.1).held_out != split(KEYS, seed=2, eval_fraction=0.1).held_out


def test_places_fill_the_unit_interval_evenly() -> None:
    places = sorted(place(5, row_key) for row_key in KEYS)
    assert max(abs(p - i / 1000) for i, p in enumerate(places)) < 0.06  # Kolmogorov-Smirnov, p < 0.001


def test_normalising_ignores_case_punctuation_and_width() -> None:
    assert normalise(" What’s  ＡＢＣ—1?\n") == "what s abc 1"


def test_rows_of_a_group_share_a_key() -> None:
    one, other = Row("a", response="x", group="gout"), Row("b", response="y", group="gout")
    assert one.key == other.key != Row("gout", response="z").key


def test_a_conversation_is_known_by_its_first_question_and_judged_by_its_last_answer() -> None:
    row = Row(
        messages=(Message("system", "s"), Message("user", "q"), Message("assistant", "a1"), Message("assistant", "a2"))
    )
    assert (row.prompt, row.reference) == ("q", "a2")
