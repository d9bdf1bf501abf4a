"""Training for as long as there is time.

The learning rate follows the clock, so that a run of any length ends annealed. What is judged and kept are the weights'
moving averages.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from network import make_optimizer, take_step

from segpp_deploy.files import write_text
from segpp_deploy.model.segformer import SegFormer

WARM_UP_SHARE = 0.04
LOG_STEPS = 25
KEPT_SHARE = 0.15
"""How much of the time passes between two judgements, at least."""

MOST_JUDGING = 0.1
"""How much of the time judgements may take: each takes seconds on a GPU, minutes on a CPU."""


@dataclass
class Average:
    """The moving average of a model's weights, as a model in eval mode; `decay` is a step's, of late ones."""

    model: SegFormer
    decay: float = 0.999
    steps: int = 0

    @classmethod
    def of(cls, model: SegFormer, decay: float = decay) -> Average:
        """Start from a model's present weights."""
        return cls(copy.deepcopy(model), decay)

    @torch.no_grad()
    def add(self, current: SegFormer) -> None:
        """Take in the weights after a step; early ones are forgotten sooner."""
        self.steps += 1
        decay = min(self.decay, self.steps / (10 + self.steps))
        averages: list[torch.Tensor] = list(self.model.parameters())
        torch._foreach_lerp_(averages, list[torch.Tensor](current.parameters()), 1 - decay)
        for average, value in zip(self.model.buffers(), current.buffers(), strict=True):
            average.copy_(value)  # statistics of batch norm are moving averages already


@dataclass
class Run:
    """A run's time, and what it says while it goes on."""

    out: Path
    minutes: float
    lines: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.perf_counter)

    @property
    def progress(self) -> float:
        """The share of the time that has passed."""
        return (time.perf_counter() - self.started) / (60 * self.minutes)

    def say(self, line: str) -> None:
        """Print a line and write it to the log."""
        self.lines.append(f"{time.perf_counter() - self.started:6.1f} s  {line}")
        print(self.lines[-1], flush=True)
        write_text(self.out / "log.txt", "\n".join(self.lines) + "\n")


def rate_at(progress: float, peak: float) -> float:
    """A linear warm-up, then a half cosine to zero; `progress` in 0 .. 1."""
    if progress < WARM_UP_SHARE:
        return peak * max(progress, 1e-3) / WARM_UP_SHARE
    return peak * 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - WARM_UP_SHARE) / (1 - WARM_UP_SHARE))))


@dataclass(frozen=True)
class Descent:
    """How steps are taken."""

    peak_rate: float
    weight_decay: float


def train_until_time_is_up(
    run: Run,
    model: SegFormer,
    average: Average,
    descent: Descent,
    loss_at: Callable[[float], torch.Tensor],
    keep: Callable[[Average], None],
) -> None:
    """Take steps as long as there is time.

    Args:
        run: the clock and the log.
        model: in training mode.
        average: of it; what `keep` judges and writes, now and then and at the end.
        descent: how steps are taken.
        loss_at: gives the loss of a new batch, for the share of the time that has passed.
        keep: takes the averaged weights.
    """
    optimizer = make_optimizer(model, descent.weight_decay)
    kept, pause = 0.0, KEPT_SHARE
    while (progress := run.progress) < 1:
        loss = set_gradients(model, loss_at(progress))
        take_step(model, optimizer, rate_at(progress, descent.peak_rate))
        average.add(model)
        if average.steps % LOG_STEPS == 0:
            rate = rate_at(progress, descent.peak_rate)
            run.say(f"step {average.steps}: loss {loss.item():.4f}, rate {rate:.2e}")
        if progress - kept > pause:
            keep(average)
            kept = run.progress
            pause = max(KEPT_SHARE, (kept - progress) / MOST_JUDGING)
    keep(average)


def set_gradients(model: SegFormer, loss: torch.Tensor) -> torch.Tensor:
    """Replace the gradients by those of a loss; return the loss without its graph."""
    model.zero_grad(set_to_none=True)
    loss.backward()
    return loss.detach()
