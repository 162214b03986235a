"""Numbers as people read them."""

from datetime import timedelta

import pytest

from app.db import now
from app.web import numbers
from app.web.numbers import TimeScale


def test_a_minus_is_typographic_and_what_was_not_measured_is_a_dash() -> None:
    assert numbers.number(-1234.5, 1) == "−1,234.5"
    assert numbers.number(None) == "–"
    assert numbers.number(float("nan")) == "–"


@pytest.mark.parametrize(
    ("value", "text"), [(0.04, "±0.0"), (-0.04, "±0.0"), (0.06, "+0.1"), (-0.9, "−0.9"), (None, "–")]
)
def test_a_difference_has_its_sign(value: float | None, text: str) -> None:
    assert numbers.signed(value, 1) == text


@pytest.mark.parametrize(
    ("value", "is_real", "text"),
    [
        (-0.04, True, "−0.04"),
        (0.0031, True, "+0.003"),
        (-0.04, False, "±0.0"),
        (0.96, True, "+1.0"),
        (0.0, True, "±0.0"),
    ],
)
def test_a_difference_that_is_real_does_not_vanish(value: float, is_real: bool, text: str) -> None:
    assert numbers.difference(value, 1, is_real=is_real) == text


def test_a_metric_has_the_decimals_of_the_catalogue() -> None:
    assert numbers.metric(17.849, "perplexity") == "17.8"
    assert numbers.metric(0.4449, "bleu") == "0.44"


def test_a_relative_change_and_a_share_are_percentages() -> None:
    assert numbers.change(-0.606) == "−60.6 %"
    assert numbers.share(0.62) == "62 %"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (4.25, "4.2 s"),
        (42.4, "42 s"),
        (99.4, "99 s"),
        (390, "6.5 min"),
        (4500, "75 min"),
        (7169, "119 min"),
        (7171, "2 h 00 min"),
        (11_100, "3 h 05 min"),
        (None, "–"),
    ],
)
def test_a_duration_has_the_unit_that_suits_it(seconds: float | None, text: str) -> None:
    assert numbers.duration(seconds).striptags() == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(999, "999 bytes"), (1_500, "1.5 kB"), (812_400, "812 kB"), (2_078_741, "2.1 MB"), (83e9, "83 GB")],
)
def test_a_size_has_the_unit_that_suits_it(size: float, text: str) -> None:
    assert numbers.size(size).striptags() == text


def test_a_column_of_times_has_one_unit() -> None:
    assert TimeScale.of([2700, 4500, None]) == TimeScale("min", 60)
    assert TimeScale.of([42, 110]).unit == "s"
    assert TimeScale.of([]).unit == "s"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2e-4, "2e-4"),
        (2e-3, "2e-3"),
        (1.5e-5, "1.5e-5"),
        (0.05, "0.05"),
        (3.0, "3"),
        (16, "16"),
        (True, "yes"),
        (None, "–"),
        (["q_proj", "v_proj"], "q_proj, v_proj"),
        ("nf4", "nf4"),
    ],
)
def test_a_setting_is_written_as_people_do(value: object, text: str) -> None:
    assert numbers.setting(value) == text


def test_how_long_ago_is_said_in_one_unit() -> None:
    past = [numbers.ago(now() - timedelta(seconds=seconds)) for seconds in (5, 61, 7300, 200_000)]
    assert past == ["just now", "1 min", "2 h", "2 d"]


@pytest.mark.parametrize(
    ("short", "difference", "interval", "meaning"),
    [
        ("perplexity", -0.9, [-1.4, -0.4], "good"),
        ("perplexity", -0.5, [-1.1, 0.1], "noise"),
        ("perplexity", 2.6, None, "bad"),
        ("bleu", 0.02, None, "good"),
        ("rouge_l", -0.02, [-0.04, -0.01], "bad"),
        ("bleu", 0.0, None, "none"),
        ("bleu", None, None, "none"),
        ("memory", 5.0, None, "none"),
    ],
)
def test_a_difference_is_judged_by_direction_and_never_within_noise(
    short: str, difference: float | None, interval: list[float] | None, meaning: str
) -> None:
    assert numbers.verdict(short, difference, interval) == meaning


def test_a_metric_that_is_nearly_nothing_is_told_from_nothing() -> None:
    assert numbers.metric(0.0043, "bleu") == "0.0043"
    assert numbers.metric(0.0000123, "bleu") == "1.2e−5"
    assert numbers.metric(0.0, "bleu") == "0.00"
    assert numbers.metric(None, "bleu") == "–"
