"""Dropout by drawn places follows the law of a coin for each place."""

import math

import pytest
import torch

from worker.finetune.dropout import drop, is_drawn, places

DRAWS, COUNT = 400, 5000


@pytest.fixture(scope="module")
def dropped() -> torch.Tensor:
    """(draws, count), 1 where a place was dropped."""
    torch.manual_seed(3)
    found = torch.zeros(DRAWS, COUNT)
    for line in found:
        line[places(COUNT, 0.1)] = 1
    return found


def test_every_place_is_dropped_as_often_as_asked(dropped: torch.Tensor) -> None:
    sigma = math.sqrt(0.1 * 0.9 / dropped.numel())
    assert dropped.mean().item() == pytest.approx(0.1, abs=4 * sigma)
    of_each = dropped.mean(0)
    assert of_each.std().item() == pytest.approx(math.sqrt(0.1 * 0.9 / DRAWS), rel=0.1)
    for at in (0, 1, COUNT // 2, COUNT - 2, COUNT - 1):  # no end is spared or favoured
        assert of_each[at].item() == pytest.approx(0.1, abs=5 * math.sqrt(0.1 * 0.9 / DRAWS))


@pytest.mark.parametrize("apart", [1, 2, 7, 64])
def test_what_becomes_of_one_place_says_nothing_of_another(dropped: torch.Tensor, apart: int) -> None:
    both = (dropped[:, apart:] * dropped[:, :-apart]).mean().item()
    assert both == pytest.approx(0.01, abs=5 * math.sqrt(0.01 * 0.99 / dropped.numel()))


def test_how_many_are_dropped_varies_as_with_coins(dropped: torch.Tensor) -> None:
    assert dropped.sum(1).std().item() == pytest.approx(math.sqrt(COUNT * 0.1 * 0.9), rel=0.15)


@pytest.mark.parametrize("share", [0.001, 0.05, 0.5, 0.97])
@pytest.mark.parametrize("count", [1, 3, 10_000])
def test_places_ascend_within_the_count(share: float, count: int) -> None:
    torch.manual_seed(0)
    for _ in range(20):
        found = places(count, share)
        assert bool((found[1:] > found[:-1]).all())
        assert bool(((found >= 0) & (found < count)).all())


def test_where_the_first_draws_end_early_it_draws_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(math, "sqrt", lambda _: -500.0)  # far too few draws
    torch.manual_seed(0)
    found = places(100_000, 0.05)
    monkeypatch.undo()
    assert len(found) == pytest.approx(5000, abs=5 * math.sqrt(100_000 * 0.05 * 0.95))
    assert bool((found[1:] > found[:-1]).all())


def test_the_mean_of_what_is_kept_stays_when_scaled() -> None:
    torch.manual_seed(0)
    x = torch.ones(200_000)
    kept = drop(x, places(x.numel(), 0.3)) / 0.7
    assert kept.mean().item() == pytest.approx(1, abs=0.01)


def test_the_gradient_passes_where_something_was_kept() -> None:
    x = torch.randn(4, 5, requires_grad=True)
    drop(x, torch.tensor([0, 7])).sum().backward()
    assert x.grad is not None
    assert (x.grad == 0).nonzero().tolist() == [[0, 0], [1, 2]]


def test_the_same_random_state_drops_the_same_places() -> None:
    state = torch.get_rng_state()
    first = places(1000, 0.2)
    torch.set_rng_state(state)
    assert torch.equal(first, places(1000, 0.2))


def test_nothing_is_drawn_without_dropout_or_on_a_gpu() -> None:
    assert not is_drawn(0.0, torch.device("cpu"))
    assert not is_drawn(0.1, torch.device("cuda"))
