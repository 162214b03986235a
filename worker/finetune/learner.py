"""One optimizer step: forward and backward over its batches, clipping, update, schedule."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from app.config_sections import TrainingConfig
from worker.finetune.adapter import adapter_state, restore_adapter
from worker.finetune.batches import IGNORED, Batch
from worker.finetune.device import autocast
from worker.finetune.errors import Stopped
from worker.finetune.likelihood import token_nll
from worker.finetune.optimizer import make_optimizer, make_scheduler
from worker.finetune.paths import PLAIN, Paths
from worker.finetune.randomness import random_state, restore_random_state
from worker.finetune.reporter import Reporter, check_stop


@dataclass(frozen=True)
class Step:
    """What one optimizer step saw: `grad_norm` before clipping, `learning_rate` as it was used.

    The numbers are still on their device: to look at one there is to wait for it.
    """

    loss: torch.Tensor
    grad_norm: torch.Tensor
    learning_rate: float


class Learner:
    """A model with its optimizer, schedule and random state: what a checkpoint has to hold."""

    def __init__(
        self, model: Any, training: TrainingConfig, dtype: torch.dtype, total_steps: int, paths: Paths = PLAIN
    ) -> None:
        self.model, self.training, self.dtype, self.paths = model.train(), training, dtype, paths
        self.device: torch.device = model.device
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = make_optimizer(self.parameters, training)
        self.scheduler = make_scheduler(self.optimizer, training, total_steps)
        # float16 gradients are too small to hold: scaled up, and back before clipping. Otherwise it does nothing.
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=dtype == torch.float16)

    def step(self, batches: Sequence[Batch], reporter: Reporter) -> Step:
        """Loss and gradient are sums over the step's counted tokens divided by their number.

        Nothing is looked at, so weights of a step without a number are spoiled: `is_usable` says so, before anything
        is kept of them. A stop in mid-step takes back what was drawn from the random state, so that the step can be
        done again.
        """
        self._set_to_train()
        before = random_state()
        try:
            loss = self._accumulate(batches, reporter)
        except Stopped:
            self.optimizer.zero_grad(set_to_none=True)
            restore_random_state(before)
            raise
        self.scaler.unscale_(self.optimizer)
        limit = self.training.max_grad_norm or math.inf
        grad_norm = torch.nn.utils.clip_grad_norm_(self.parameters, limit)
        rate = float(self.scheduler.get_last_lr()[0])
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.scheduler.step()
        self.optimizer.zero_grad(set_to_none=True)
        return Step(loss, grad_norm, rate)

    def rehearse(self, batches: Sequence[Batch], reporter: Reporter) -> None:
        """A step that leaves no trace: what it takes in memory is taken, and nothing else is as if it had been."""
        self._set_to_train()
        before = random_state()
        try:
            self._accumulate(batches, reporter)
        finally:
            self.optimizer.zero_grad(set_to_none=True)
            restore_random_state(before)

    def _set_to_train(self) -> None:
        """After an evaluation: the call goes through every module, which takes 2 % of a small model's step."""
        if not self.model.training:
            self.model.train()

    def _accumulate(self, batches: Sequence[Batch], reporter: Reporter) -> torch.Tensor:
        tokens = sum(int((batch.labels[:, 1:] != IGNORED).sum()) for batch in batches)
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        for batch in batches:
            check_stop(reporter)
            with autocast(self.device, self.dtype):
                nll, _ = token_nll(self.model, batch.to(self.device), self.paths)
            summed = nll.sum()
            self.scaler.scale(summed / tokens).backward()  # type: ignore[no-untyped-call]
            total += summed.detach()
        return total / tokens

    def is_usable(self, loss: float, grad_norm: float) -> bool:
        """Whether a step's numbers are numbers."""
        # An overflow of scaled float16 gradients is expected now and then: the scaler skips that step.
        return math.isfinite(loss) and (math.isfinite(grad_norm) or self.scaler.is_enabled())

    def is_finite(self) -> bool:
        """Whether every weight that is trained is a number: an update can go beyond them though its loss did not."""
        return all(bool(torch.isfinite(parameter).all()) for parameter in self.parameters)

    def state(self) -> dict[str, Any]:
        return {
            "adapter": adapter_state(self.model),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "scaler": self.scaler.state_dict(),
            "random": random_state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        restore_adapter(self.model, state["adapter"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.scaler.load_state_dict(state["scaler"])
        restore_random_state(state["random"])
