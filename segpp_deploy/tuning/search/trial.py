"""What was found out about one candidate."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from segpp_deploy.config import Precision, Size
from segpp_deploy.model.plan_file import parse_plan, plan_to_dict
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.tuning.search.candidate import Candidate, EngineKind

UNASKED = -1


@dataclass(frozen=True)
class Trial:
    """A candidate that was tried.

    Args:
        candidate: what was tried.
        proposal: number of the round in which the sampler proposed it, from 0; UNASKED where it did not.
        params: its point in the search space; empty for int8, which is not part of it.
        predicted_ms: by the cost model, before it was measured; of a GPU that is not here all there is.
        speedups: times as fast as the baseline, of one measurement after the other, each in turns with it.
        losses: points lost against the float32 original, on more pictures each time; the last on all of them, if
            there are as many as there are rungs.
        agreement: share of the predictions that are the original's, on the last pictures.
        confirmed_loss: points lost on the held-out pictures; None where they were not asked.
        ranges: file of the value ranges of int8.
        error: why it could not be tried.
    """

    candidate: Candidate
    proposal: int = UNASKED
    params: Mapping[str, str] = field(default_factory=dict)
    predicted_ms: float | None = None
    speedups: tuple[float, ...] = ()
    losses: tuple[float, ...] = ()
    agreement: float | None = None
    confirmed_loss: float | None = None
    ranges: str = ""
    error: str = ""

    @property
    def speedup(self) -> float:
        """Times as fast as the baseline: the median of the measurements, of two the lower: no lucky one counts."""
        return statistics.median_low(self.speedups)

    @property
    def loss(self) -> float:
        """Points lost, on the most pictures there were."""
        return self.losses[-1]

    def timed_again(self, speedup: float) -> Trial:
        """Return it with one more measurement."""
        return replace(self, speedups=(*self.speedups, speedup))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        candidate = self.candidate
        return {
            "mode": candidate.plan.name,
            "plan": plan_to_dict(candidate.plan),
            "size": list(candidate.size.hw),
            "target": str(candidate.engine.target),
            "precision": str(candidate.engine.precision),
            "proposal": self.proposal,
            "params": dict(self.params),
            "predicted_ms": self.predicted_ms,
            "speedups": list(self.speedups),
            "losses": list(self.losses),
            "agreement": self.agreement,
            "confirmed_loss": self.confirmed_loss,
            "ranges": self.ranges,
            "error": self.error,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str) -> Trial:
        """Read what `to_dict` wrote.

        Raises:
            KeyError, TypeError, ValueError, SegppError: it is something else.
        """
        engine = EngineKind(TargetName(values["target"]), Precision(values["precision"]))
        plan = parse_plan(values["plan"], str(values["mode"]), where)
        return cls(
            candidate=Candidate(plan, Size(*map(int, values["size"])), engine),
            proposal=int(values["proposal"]),
            params={str(axis): str(choice) for axis, choice in values["params"].items()},
            predicted_ms=_optional(values["predicted_ms"]),
            speedups=tuple(map(float, values["speedups"])),
            losses=tuple(map(float, values["losses"])),
            agreement=_optional(values["agreement"]),
            confirmed_loss=_optional(values["confirmed_loss"]),
            ranges=str(values["ranges"]),
            error=str(values["error"]),
        )


def _optional(value: Any) -> float | None:
    return None if value is None else float(value)
