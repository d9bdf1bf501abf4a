"""What can be asked of calibration; apart from the work, so that options are checked before libraries load."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from segpp_deploy.config import CalibrationMethod, require_pictures

CALIBRATION_IMAGES = 64
CALIBRATION_METHOD = CalibrationMethod.MSE

_RANGE_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class CalibrationOptions:
    """How to calibrate.

    Args:
        data: KIND:PATH[#SPLIT], scenes[:N][#train], people[:N][#train], or a directory of pictures.
        images: take so many, spread evenly; all where there are fewer.
        method: how the clipping thresholds are chosen.
        threads: CPU threads; one per physical core if None.
    """

    data: str
    images: int = CALIBRATION_IMAGES
    method: CalibrationMethod = CALIBRATION_METHOD
    threads: int | None = None

    def __post_init__(self) -> None:
        require_pictures("images", self.images)

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
