"""How a reduced precision is reached and checked: what the user can say about it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from segpp_deploy.config import CalibrationMethod
from segpp_deploy.engine.precision_record import Placement
from segpp_deploy.errors import SegppError

CALIBRATION_IMAGES = 64
CALIBRATION_METHOD = CalibrationMethod.MSE
GATE_IMAGES = 200


@dataclass(frozen=True)
class PrecisionOptions:
    """How a reduced precision is reached and checked.

    Args:
        calibration: a range file, a data set (KIND:PATH) or a directory of pictures; int8 needs it, fp16 takes from it
            which tensors could overflow.
        images: calibrate on so many, where no range file is given.
        method: how thresholds are chosen, where no range file is given.
        placement: which layers int8 covers.
        gate_points: points of mIoU that the engine may lose; None for no gate.
        gate_data: held-out pictures for the gate.
        gate_images: judge on so many.
    """

    calibration: str | None = None
    images: int = CALIBRATION_IMAGES
    method: CalibrationMethod = CALIBRATION_METHOD
    placement: Placement = Placement.MEASURED
    gate_points: float | None = None
    gate_data: str | None = None
    gate_images: int = GATE_IMAGES

    def __post_init__(self) -> None:
        for option, count in (("--images", self.images), ("--gate-images", self.gate_images)):
            if count < 1:
                raise SegppError(f"{option} {count} leaves no picture.", "a number of at least 1.", f"{option} 64")
        _check_gate(self.gate_points, self.gate_data)


def _check_gate(points: float | None, data: str | None) -> None:
    if points is not None and not (math.isfinite(points) and points >= 0):
        raise SegppError(
            f"--accuracy-gate {points:g} is no number of points.",
            "the points of mIoU the engine may lose, 0 or more.",
            "--accuracy-gate 1.0",
        )
    if points is not None and data is None:
        raise SegppError(
            "--accuracy-gate needs pictures to judge on.",
            "held-out pictures that calibration did not see, best with labels.",
            "--gate-data camvid:DIR#val, --gate-data scenes:40, or a directory of pictures",
        )
    if points is None and data is not None:
        raise SegppError(
            "--gate-data has no use without --accuracy-gate.",
            "the points of mIoU that the engine may lose on those pictures.",
            "--accuracy-gate 1.0, or leave --gate-data out",
        )
