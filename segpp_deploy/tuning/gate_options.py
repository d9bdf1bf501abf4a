"""What can be asked of the accuracy gate; apart from the work, so that options are checked before libraries load."""

from __future__ import annotations

import math
from dataclasses import dataclass

from segpp_deploy import commands
from segpp_deploy.config import Automatic, require_pictures
from segpp_deploy.errors import SegppError

GATE_IMAGES = 200
AUTO_POINTS = 0.1
"""What `--precision auto` may lose unless told otherwise."""


@dataclass(frozen=True)
class GateOptions:
    """How much accuracy an engine may lose, on what.

    Args:
        points: hundredths of the task's headline score, such as mIoU; the loss is against the float32 graph.
        data: held-out pictures that calibration did not see, best with labels.
        images: judge on so many.
    """

    points: float
    data: str
    images: int = GATE_IMAGES

    def __post_init__(self) -> None:
        require_pictures("gate-images", self.images)
        if not (math.isfinite(self.points) and self.points >= 0):
            raise SegppError(
                f"--accuracy-gate {self.points:g} is no number of points.",
                "the points of accuracy the engine may lose, 0 or more.",
                commands.option("accuracy-gate", 1.0),
            )


def parse_gate(
    points: float | None, data: str | None, images: int = GATE_IMAGES, *, chooses_precision: bool = False
) -> GateOptions | None:
    """Return the gate that both options ask for together, or None for no gate.

    Args:
        points: what may be lost; where the gate chooses the precision, `AUTO_POINTS` if None.
        data: held-out pictures.
        images: judge on so many.
        chooses_precision: whether the precision is chosen by what passes.

    Raises:
        SegppError: one without the other.
    """
    if points is None and data is None:
        return None
    if chooses_precision and points is None:
        points = AUTO_POINTS
    if data is None:
        raise SegppError(
            "--accuracy-gate needs pictures to judge on.",
            "held-out pictures that calibration did not see, best with labels.",
            commands.option("gate-data", "camvid:DIR#val")
            + ", "
            + commands.option("gate-data", "scenes:40")
            + ", or a directory of pictures",
        )
    if points is None:
        raise SegppError(
            "--gate-data has no use without --accuracy-gate.",
            "the points of accuracy that the engine may lose on those pictures.",
            commands.option("accuracy-gate", 1.0)
            + ", "
            + commands.option("precision", Automatic.AUTO)
            + ", or leave "
            + commands.option("gate-data")
            + " out",
        )
    return GateOptions(points, data, images)
