"""How a reduced precision is reached and checked: what the user can say about it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from segpp_deploy.config import CalibrationMethod, Choice
from segpp_deploy.errors import SegppError

CALIBRATION_IMAGES = 64
CALIBRATION_METHOD = CalibrationMethod.MSE
GATE_IMAGES = 200


class Placement(Choice):
    """Which layers int8 covers: those of the recipe that pay on this machine, or all of the recipe."""

    MEASURED = "measured"
    ALL = "all"


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
        if self.gate_points is not None and not (math.isfinite(self.gate_points) and self.gate_points >= 0):
            raise SegppError(
                f"--accuracy-gate {self.gate_points:g} is no number of points.",
                "the points of mIoU the engine may lose, 0 or more.",
                "--accuracy-gate 1.0",
            )
        if self.gate_points is not None and self.gate_data is None:
            raise SegppError(
                "--accuracy-gate needs pictures to judge on.",
                "held-out pictures that calibration did not see, best with labels.",
                "--gate-data camvid:DIR#val, --gate-data scenes:40, or a directory of pictures",
            )
