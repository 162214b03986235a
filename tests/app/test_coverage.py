"""Intervals hold the truth about as often as they say: a short run of benchmarks.coverage, which prints the rates.

Of 200 intervals of 95 %, 190 are expected to hold it and three standard deviations are 9.
"""

import pytest

from benchmarks.coverage import population, simulate, simulate_seeds

PAIRS = 200
LEAST, MOST = 181 / PAIRS, 199 / PAIRS


@pytest.mark.parametrize("rows", [100, 250])
@pytest.mark.parametrize("gain", [0.0, 0.03])
def test_of_95_intervals_in_a_hundred_the_truth_is_in(rows: int, gain: float) -> None:
    for name, rates in simulate(population(gain), rows, PAIRS).items():
        assert LEAST <= rates.covered <= MOST, name
        if not gain:
            assert rates.told_apart <= 1 - LEAST, name


def test_seeds_are_part_of_the_interval_where_there_are_some() -> None:
    spread, pairs = 0.04, 100
    assert simulate_seeds((1, 1), spread, 250, pairs).covered < 0.8  # nobody can know it from one run each
    assert simulate_seeds((3, 3), spread, 250, pairs).covered >= 0.88
