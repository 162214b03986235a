"""Whether a run overfits: its held-out loss at the end beside the lowest it had, and what the training loss did.

The held-out loss is measured about once an epoch. A last value within RISE of the lowest is a plateau and no rise.
"""

from dataclasses import dataclass

RISE = 0.01

Point = tuple[float, float]  # epoch, nats a token


@dataclass(frozen=True)
class Losses:
    """Held-out points in the order of training; the training loss is its mean over the first and the last epoch."""

    held_out: tuple[Point, ...] = ()
    train_first: float | None = None
    train_last: float | None = None


@dataclass(frozen=True)
class Judgement:
    """`overfits` is None where it cannot be told; `diverges`: the training loss rose as well."""

    overfits: bool | None
    diverges: bool
    lowest: Point | None
    last: Point | None
    train_last: float | None

    @property
    def rise(self) -> float:
        """Of the last value over the lowest, as a share of it."""
        if self.lowest is None or self.last is None or self.lowest[1] <= 0:
            return 0.0
        return self.last[1] / self.lowest[1] - 1


def judge(losses: Losses) -> Judgement:
    if len(losses.held_out) < 2:
        return Judgement(None, False, None, None, losses.train_last)
    lowest, last = min(losses.held_out, key=lambda point: point[1]), losses.held_out[-1]
    seen = Judgement(None, False, lowest, last, losses.train_last)
    rose = seen.rise > RISE
    diverges = rose and _training_rose(losses)
    return Judgement(rose and not diverges, diverges, lowest, last, losses.train_last)


def _training_rose(losses: Losses) -> bool:
    first, last = losses.train_first, losses.train_last
    return first is not None and last is not None and last > first
