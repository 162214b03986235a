"""Dropout of the adapter's inputs on CPU: the places to drop are drawn, not a number for every place.

Between one dropped place and the next lies a geometric number of kept ones, so a share p of the draws does. The law
is that of a coin for each place: each is dropped with chance p, whatever becomes of the others.
"""

import math

import torch


def is_drawn(share: float, device: torch.device) -> bool:
    """Whether places are drawn at all: a GPU throws its coins faster."""
    return device.type == "cpu" and share > 0


def places(count: int, share: float) -> torch.Tensor:
    """Ascending indices, below `count`, of what is dropped. torch's own generator draws, which checkpoints hold."""
    mean = count * share
    draws = int(mean + 6 * math.sqrt(mean) + 16)  # short of the end once in a thousand million times
    found = _after(-1, draws, share)
    while found[-1] < count:
        found = torch.cat((found, _after(int(found[-1]), draws, share)))
    return found[: int(torch.searchsorted(found, count))]


def _after(place: int, draws: int, share: float) -> torch.Tensor:
    """The next dropped places. In float64: float32 has too few numbers near 0 for a small share."""
    kept = torch.rand(draws, dtype=torch.float64).neg_().log1p_().div_(math.log1p(-share)).floor_()
    return kept.add_(1).cumsum(0).add_(place).long()


def drop(x: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """A copy of `x` with zeros at these places of it, laid out as one line. What is kept is not scaled up."""
    return x.reshape(-1).index_fill(0, at, 0).view(x.shape)
