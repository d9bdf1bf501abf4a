"""How many points a candidate loses against the float32 original: on a few pictures first, on all where it may win."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from segpp_deploy.data.datasets import AnyDataset
from segpp_deploy.evaluation.evaluator import Evaluator, KeptReference
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.runtimes.session import Session
from segpp_deploy.tasks.protocol.evaluation import Evaluation
from segpp_deploy.tuning.search.limits import Now

SHARES = (8, 3, 1)
"""Candidates are judged on an eighth of the pictures, on a third, on all of them."""

LEAST_PICTURES = 4
FIRST_SLACK = 1.0
"""By so many points the first pictures may mislead, until it is known how far they do."""

LEAST_SLACK = 0.05
MARGINS = (0.25, 0.5)
"""Held-out pictures may judge otherwise by so many points, at least and at most: a model that was trained on the
pictures that candidates are judged on is flattered there, and what it loses is too large."""

_KNOWN_AFTER = 4  # candidates that were judged on all pictures
_PERCENT = 80


class Judge:
    """Judges sessions on one data set.

    Args:
        dataset: the pictures, best with labels; they are shuffled, so that the first few are like all.
        reference: a session of the unmerged float32 network; it predicts once for every picture.
        seed: of the shuffling.
        step: what this is called while the reference predicts.
        progress: told about that.
        shares: what part of the pictures a rung has: one of so many.
        now: the clock.

    Raises:
        SegppError: a picture cannot be read, the labels do not fit the model, or nothing counts.
    """

    def __init__(
        self,
        dataset: AnyDataset,
        reference: Session,
        seed: int,
        step: str,
        progress: Progress,
        shares: Sequence[int] = SHARES,
        now: Now = time.monotonic,
    ) -> None:
        shuffled = list(dataset.samples)
        random.Random(seed).shuffle(shuffled)
        self._progress = progress
        began = now()
        evaluator = Evaluator[Any, Any](replace(dataset, samples=tuple(shuffled)), self._tell)
        whole = evaluator.keep(Predictor(reference), step)
        self.seconds_per_picture = (now() - began) / len(shuffled)
        """How long one picture takes: reading it for the first time, and the reference."""

        self._progress = no_progress  # what follows is a small part of longer work
        counts = sorted({max(LEAST_PICTURES, len(shuffled) // share) for share in shares[:-1]})
        parts = [whole.first(count) for count in counts if count < len(shuffled)]
        self._rungs: list[KeptReference[Any, Any]] = [part for part in parts if part.evaluation.headline.is_number] + [
            whole
        ]
        self._known: list[tuple[float, ...]] = []

    def _tell(self, step: str, done: int, total: int) -> None:
        self._progress(step, done, total)

    @property
    def evaluation(self) -> Evaluation:
        """Of the reference, on all pictures."""
        return self._rungs[-1].evaluation

    @property
    def rungs(self) -> tuple[int, ...]:
        """On how many pictures candidates are judged, one after the other."""
        return tuple(len(rung.dataset) for rung in self._rungs)

    @property
    def margin(self) -> float:
        """By how many points other pictures may judge otherwise: as all of these do from a part of them."""
        return float(np.clip(self.slack(max(len(self._rungs) - 2, 0)), *MARGINS))

    def judge(self, session: Session, may_win: Callable[[float], bool]) -> tuple[tuple[float, ...], float]:
        """Return the points lost on each rung, and the agreement with the reference on the last.

        Args:
            session: of the candidate.
            may_win: whether a candidate that may lose as little as this is worth more pictures.
        """
        losses: list[float] = []
        agreement = float("nan")
        for number, rung in enumerate(self._rungs):
            found = rung.compare(Predictor(session))
            losses.append(found.evaluation.headline.loss_from(found.reference.headline))
            agreement = found.agreement[0].value
            if number < len(self._rungs) - 1 and not may_win(losses[-1] - self.slack(number)):
                break
        self.note(tuple(losses))
        return tuple(losses), agreement

    def note(self, losses: tuple[float, ...]) -> None:
        """Take note of how far the first pictures of a candidate were from all."""
        if self.is_complete(losses):
            self._known.append(losses)

    def is_complete(self, losses: tuple[float, ...]) -> bool:
        """Whether these are the losses of a candidate that was judged on all pictures."""
        return len(losses) == len(self._rungs)

    def slack(self, rung: int) -> float:
        """Return by how many points the pictures of a rung may be wrong."""
        if len(self._known) < _KNOWN_AFTER:
            return FIRST_SLACK
        distances = [abs(losses[rung] - losses[-1]) for losses in self._known]
        return max(LEAST_SLACK, float(np.percentile(distances, _PERCENT)))


def split_pictures(dataset: AnyDataset) -> tuple[AnyDataset, AnyDataset]:
    """Return two thirds of a data set to judge on, and every third picture to confirm on."""
    held_out = dataset.samples[2::3]
    rest = tuple(sample for index, sample in enumerate(dataset.samples) if index % 3 != 2)
    return replace(dataset, samples=rest), replace(dataset, samples=held_out)
