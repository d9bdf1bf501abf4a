"""What a manifest says about reduced precision: which ranges, which layers stayed higher and why, how the gate went."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from segpp_deploy.config import CalibrationMethod, Choice, Int8Layers, Precision
from segpp_deploy.tasks.protocol.evaluation import Score


class KeptReason(Choice):
    """Why layers compute in a higher precision than the engine's."""

    OVERFLOW = "overflow"
    WEIGHTS = "weights"
    SENSITIVITY = "sensitivity"
    SPEED = "speed"
    RECIPE = "recipe"

    @property
    def description(self) -> str:
        """The reason in words."""
        return _DESCRIPTIONS[self]


_DESCRIPTIONS = {
    KeptReason.OVERFLOW: "fp16 could not hold values that calibration saw",
    KeptReason.WEIGHTS: "fp16 cannot hold their weights",
    KeptReason.SENSITIVITY: "the accuracy gate asked for it",
    KeptReason.SPEED: "they were slower quantised, measured on this machine",
    KeptReason.RECIPE: "the default recipe leaves them",
}


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RangesUsed(_Frozen):
    """Where the ranges of an int8 engine came from.

    Args:
        source: the range file, or the data they were calibrated on for this build, as the user named it.
        data: kind and split of the data, or "directory".
        method: how thresholds were chosen.
        images: how many images were seen.
        images_sha256: hash over them.
    """

    source: str
    data: str
    method: CalibrationMethod
    images: int
    images_sha256: str


class KeptLayers(_Frozen):
    """Layers that compute in a higher precision.

    Args:
        reason: why.
        names: layers, or tensors where the reason is an overflow.
        cost_percent: how much longer the engine takes for it, measured on this machine; None where it was not.
    """

    reason: KeptReason
    names: tuple[str, ...]
    cost_percent: float | None = None


class GateOutcome(_Frozen):
    """The accuracy gate.

    Args:
        data: the held-out images.
        images: how many.
        allowed_points: how many points of its headline score, such as mIoU, the engine may lose.
        reference: the headline score of the fp32 model of the same mode.
        engine: of the engine.
        agreement: what both say the same about, such as pixels with the same class.
        judged_on: the target whose runtime computed the judged engine; another one where the GPU is missing.
    """

    data: str
    images: int
    allowed_points: float
    reference: Score
    engine: Score
    agreement: Score
    judged_on: str

    @property
    def lost_points(self) -> float:
        """Points of the headline score that the engine loses; negative where it gains."""
        return self.engine.loss_from(self.reference)

    @property
    def passed(self) -> bool:
        """Whether the engine keeps within what is allowed; a NaN does not."""
        return self.lost_points <= self.allowed_points


class PrecisionRecord(_Frozen):
    """How an engine came to its reduced precision.

    Args:
        rest: number format of the other layers: those that are not quantised (int8), or that stay higher (fp16).
        quantized: layers in the engine's precision; empty where the runtime itself takes a float32 graph to it.
        ranges: None for fp16 without an overflow check.
        kept: layers in a higher precision.
        gate: None where it was not asked for.
        int8_layers: how the layers for int8 were chosen.
        speedup_over_fp32: how many times faster than float32 on the machine it was built on; None where it was not
            measured.
    """

    rest: Precision
    quantized: tuple[str, ...]
    ranges: RangesUsed | None = None
    kept: tuple[KeptLayers, ...] = ()
    gate: GateOutcome | None = None
    int8_layers: Int8Layers = Int8Layers.FASTER
    speedup_over_fp32: float | None = None

    def to_options(self) -> dict[str, str]:
        """Return the options of `build-engine` that lead here, by name."""
        options = {}
        if self.ranges is not None:
            options["calibration"] = self.ranges.source
        if self.int8_layers is not Int8Layers.FASTER:
            options["int8-layers"] = str(self.int8_layers)
        if self.gate is not None:
            options["accuracy-gate"] = f"{self.gate.allowed_points:g}"
            options["gate-data"] = self.gate.data
            options["gate-images"] = str(self.gate.images)
        return options
