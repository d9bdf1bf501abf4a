"""The two words that everything which compares engines shares: what could be built, and what was measured of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from segpp_deploy.config import Precision
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.tasks.protocol.evaluation import Score, Unit


@dataclass(frozen=True)
class Candidate:
    """One way to build a model: its merge mode, what computes it, and in which precision."""

    mode: str
    target: TargetName
    precision: Precision = Precision.FP32

    def __str__(self) -> str:
        return f"{self.mode}, {self.target}, {self.precision}"


@dataclass(frozen=True)
class Measurement:
    """What was measured of one candidate, beside a baseline that was measured in the same run.

    Args:
        candidate: what was measured.
        attention_pairs: query-key pairs over all layers, as a fraction of the unmerged model's.
        headline: accuracy on held-out samples.
        delta: by how many points the headline is better than the baseline's; below 0 it is worse.
        agreement: what it says as the fp32 PyTorch model of the same mode does.
        latency_ms: median of one call.
        speedup: over the baseline, from calls that took turns.
        peak_memory_bytes: of a fresh process that loads the engine and runs it.
    """

    candidate: Candidate
    attention_pairs: float
    headline: Score
    delta: float
    agreement: Score
    latency_ms: float
    speedup: float
    peak_memory_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "mode": self.candidate.mode,
            "target": str(self.candidate.target),
            "precision": str(self.candidate.precision),
            "attention_pairs": self.attention_pairs,
            "metric": self.headline.name,
            "value": self.headline.value,
            "unit": str(self.headline.unit),
            "delta": self.delta,
            "agreement": self.agreement.value,
            "agreement_of": self.agreement.name,
            "latency_ms": self.latency_ms,
            "speedup": self.speedup,
            "peak_memory_bytes": self.peak_memory_bytes,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Measurement:
        """Read what `to_dict` wrote."""
        return cls(
            candidate=Candidate(values["mode"], TargetName(values["target"]), Precision(values["precision"])),
            attention_pairs=values["attention_pairs"],
            headline=Score(values["metric"], values["value"], Unit(values["unit"])),
            delta=values["delta"],
            agreement=Score(values["agreement_of"], values["agreement"]),
            latency_ms=values["latency_ms"],
            speedup=values["speedup"],
            peak_memory_bytes=values["peak_memory_bytes"],
        )
