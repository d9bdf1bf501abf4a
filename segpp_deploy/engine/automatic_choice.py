"""What a manifest says about choices that the program made: which, why, and what the alternatives take and lose."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from segpp_deploy.config import Precision


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PrecisionCandidate(_Frozen):
    """One precision that could have been chosen.

    Args:
        precision: which.
        verdict: what became of it, in a few words.
        latency_ms: median of one call; all candidates took turns. None where it was not timed.
        speedup_over_fp32: how many times faster than float32; None where it was not timed.
        lost_points: points of the headline score that it loses against float32; None where it was not judged.
    """

    precision: Precision
    verdict: str
    latency_ms: float | None = None
    speedup_over_fp32: float | None = None
    lost_points: float | None = None


class PrecisionChoice(_Frozen):
    """The precision that was chosen: its name, why in a sentence, and all that could have been."""

    precision: Precision
    why: str
    candidates: tuple[PrecisionCandidate, ...] = ()


class AutomaticChoice(_Frozen):
    """What was left to the program.

    Args:
        target: why the manifest's target was chosen; None where the user named it.
        precision: how the precision was chosen; None where the user named it, or left it to the graph.
    """

    target: str | None = None
    precision: PrecisionChoice | None = None
