"""`calibrate`: find the range of every tensor that int8 needs, and write them to a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segpp_deploy.files import require_writable
from segpp_deploy.graph.graph_file import read_graph
from segpp_deploy.graph.precision.ranges import write_ranges
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.report.tables import Table
from segpp_deploy.tuning.calibration.calibration import Calibration, calibrate_graph
from segpp_deploy.tuning.calibration.options import CalibrationOptions


@dataclass(frozen=True)
class CalibrateResult:
    """A written range file."""

    path: Path
    calibration: Calibration

    @property
    def notes(self) -> tuple[str, ...]:
        """What speaks against relying on the ranges."""
        return tuple(f"Warning: {warning}" for warning in self.calibration.warnings)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of `calibrate --json`."""
        ranges = self.calibration.ranges
        return {
            "path": str(self.path),
            "images": ranges.images.count,
            "method": str(ranges.method),
            "tensors": len(ranges.thresholds()),
            "warnings": list(self.calibration.warnings),
        }

    def tables(self) -> tuple[Table, ...]:
        """Return none: a file was written."""
        return ()

    def summary(self) -> str:
        """Return one line."""
        ranges = self.calibration.ranges
        return (
            f"Wrote {self.path}: thresholds of {len(ranges.thresholds())} tensors of {ranges.arch} {ranges.mode} "
            f"({ranges.method}, {ranges.images.count} images)"
        )


def run_calibrate(
    model: Path, output: Path, options: CalibrationOptions, progress: Progress = no_progress
) -> CalibrateResult:
    """Calibrate an exported file and write the range file.

    Raises:
        SegppError: the model or the data cannot be used, or the file cannot be written.
    """
    require_writable(output)
    calibration = calibrate_graph(read_graph(model), options, progress)
    write_ranges(output, calibration.ranges)
    return CalibrateResult(output, calibration)
