"""What is found out about a row: how good it is, and how fast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from segpp_deploy.tasks.protocol.evaluation import Evaluation, PerClass, Score, Unit


@dataclass(frozen=True)
class Judged:
    """How good an engine is.

    Args:
        evaluation: its scores on all pictures.
        agreement: with PyTorch in the same mode, on a few pictures.
        attention_pairs: query-key pairs over all layers, as a fraction of the unmerged model's at that size.
        engine_bytes: size of the engine file.
        build_seconds: how long compiling took.
    """

    evaluation: Evaluation
    agreement: Score
    attention_pairs: float
    engine_bytes: int
    build_seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Judged:
        """Read what `to_dict` wrote."""
        found = values["evaluation"]
        evaluation = Evaluation(
            headline=_score(found["headline"]),
            further=tuple(map(_score, found["further"])),
            per_class=PerClass(found["per_class"]["name"], found["per_class"]["values"]),
            samples=found["samples"],
            notes=tuple(found["notes"]),
            warnings=tuple(found["warnings"]),
        )
        return cls(**{**values, "evaluation": evaluation, "agreement": _score(values["agreement"])})


@dataclass(frozen=True)
class Timed:
    """How fast an engine is; in turns with the others of its group, each in a process of its own.

    Args:
        latency_ms: median of one call.
        latency_p95_ms: of one call.
        end_to_end_ms: median from a picture file to the prediction in the picture's geometry.
        end_to_end_p95_ms: likewise.
        speedup: times as fast as the baseline: the median of the ratios of calls in the same round.
        peak_memory_bytes: of a fresh process that loads the engine and runs it.
        samples: timed calls.
    """

    latency_ms: float
    latency_p95_ms: float
    end_to_end_ms: float
    end_to_end_p95_ms: float
    speedup: float | None
    peak_memory_bytes: int
    samples: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Timed:
        """Read what `to_dict` wrote."""
        return cls(**values)


def _score(values: Mapping[str, Any]) -> Score:
    return Score(values["name"], values["value"], Unit(values["unit"]))
