"""What can be asked of calibration and of the accuracy gate; apart from the work, so that it is checked before."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from segpp_deploy.config import CalibrationMethod
from segpp_deploy.errors import SegppError

CALIBRATION_IMAGES = 64
CALIBRATION_METHOD = CalibrationMethod.MSE
GATE_IMAGES = 200

_RANGE_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class CalibrationOptions:
    """How to calibrate.

    Args:
        data: KIND:PATH[#SPLIT], scenes[:N][#train], or a directory of pictures.
        images: take so many, spread evenly; all where there are fewer.
        method: how the clipping thresholds are chosen.
        threads: CPU threads; one per physical core if None.
    """

    data: str
    images: int = CALIBRATION_IMAGES
    method: CalibrationMethod = CALIBRATION_METHOD
    threads: int | None = None

    def __post_init__(self) -> None:
        _require_pictures("--images", self.images)

    @property
    def source(self) -> str:
        """The data, as the user named it."""
        return self.data


@dataclass(frozen=True)
class RangesFile:
    """Ranges that were found before, in a file that `calibrate` wrote."""

    path: Path

    @property
    def source(self) -> str:
        """The file, as the user named it."""
        return str(self.path)


CalibrationSource = CalibrationOptions | RangesFile


def parse_calibration(text: str, threads: int | None = None) -> CalibrationSource:
    """Return the range file that `text` names, or the data to calibrate on.

    Example:
        >>> parse_calibration("fast.ranges.yaml").source
        'fast.ranges.yaml'
    """
    path = Path(text)
    return RangesFile(path) if path.suffix in _RANGE_SUFFIXES else CalibrationOptions(text, threads=threads)


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
        _require_pictures("--gate-images", self.images)
        if not (math.isfinite(self.points) and self.points >= 0):
            raise SegppError(
                f"--accuracy-gate {self.points:g} is no number of points.",
                "the points of accuracy the engine may lose, 0 or more.",
                "--accuracy-gate 1.0",
            )


def parse_gate(points: float | None, data: str | None, images: int = GATE_IMAGES) -> GateOptions | None:
    """Return the gate that both options ask for together, or None for no gate.

    Raises:
        SegppError: one without the other.
    """
    if points is None and data is None:
        return None
    if data is None:
        raise SegppError(
            "--accuracy-gate needs pictures to judge on.",
            "held-out pictures that calibration did not see, best with labels.",
            "--gate-data camvid:DIR#val, --gate-data scenes:40, or a directory of pictures",
        )
    if points is None:
        raise SegppError(
            "--gate-data has no use without --accuracy-gate.",
            "the points of accuracy that the engine may lose on those pictures.",
            "--accuracy-gate 1.0, or leave --gate-data out",
        )
    return GateOptions(points, data, images)


def _require_pictures(option: str, count: int) -> None:
    if count < 1:
        raise SegppError(f"{option} {count} leaves no picture.", "a number of at least 1.", f"{option} 64")
