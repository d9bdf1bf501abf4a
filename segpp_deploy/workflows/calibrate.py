"""Find the range of every tensor that INT8 needs, by running the float32 graph on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx_ir as ir

from segpp_deploy import __version__
from segpp_deploy.config import CalibrationMethod, Lowering, Precision
from segpp_deploy.data.selection import (
    choose_images,
)
from segpp_deploy.errors import SegppError
from segpp_deploy.files import require_writable
from segpp_deploy.graph.graph_file import GraphFile, read_graph
from segpp_deploy.graph.precision.ranges import (
    SCHEMA_VERSION,
    CalibrationImages,
    CalibrationRanges,
    fingerprint_model,
    write_ranges,
)
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.tuning.calibration.calibrator import Calibrator
from segpp_deploy.tuning.options import CALIBRATION_IMAGES, CALIBRATION_METHOD


@dataclass(frozen=True)
class CalibrateSettings:
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


@dataclass(frozen=True)
class Calibration:
    """Ranges, and what speaks against relying on them."""

    ranges: CalibrationRanges
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class CalibrateResult:
    """A written range file."""

    path: Path
    calibration: Calibration

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

    def summary(self) -> str:
        """Return one line."""
        ranges = self.calibration.ranges
        return (
            f"Wrote {self.path}: thresholds of {len(ranges.thresholds())} tensors of {ranges.arch} {ranges.mode} "
            f"({ranges.method}, {ranges.images.count} images)"
        )


def run_calibrate(
    model: Path, output: Path, settings: CalibrateSettings, progress: Progress = no_progress
) -> CalibrateResult:
    """Calibrate an exported file and write the range file.

    Raises:
        SegppError: the model or the data cannot be used, or the file cannot be written.
    """
    require_writable(output)
    calibration = calibrate_graph(read_graph(model), settings, progress)
    write_ranges(output, calibration.ranges)
    return CalibrateResult(output, calibration)


def calibrate_graph(graph: GraphFile, settings: CalibrateSettings, progress: Progress = no_progress) -> Calibration:
    """Find the ranges of an fp32 export; a plugin graph is calibrated on the portable graph derived from it.

    Two passes: the first finds each tensor's largest value inside the runtime, the second counts the values between 0
    and it. What is kept does not grow with the images, and the result does not depend on their order.

    Raises:
        SegppError: the model or the data cannot be used, or a tensor holds NaN or infinity.
    """
    return compare_methods(graph, settings, (settings.method,), progress)[settings.method]


def compare_methods(
    graph: GraphFile,
    settings: CalibrateSettings,
    methods: Sequence[CalibrationMethod],
    progress: Progress = no_progress,
) -> dict[CalibrationMethod, Calibration]:
    """Do as `calibrate_graph` for several methods in the time of one; `settings.method` does not matter."""
    if graph.metadata.precision is not Precision.FP32:
        raise SegppError(
            f"{graph.path} is in {graph.metadata.precision}.",
            "the float32 graph that `export` writes.",
            "segpp-deploy export -o model.onnx",
        )
    chosen = choose_images(settings.data, settings.images, graph.metadata)
    model = ir.from_proto(graph.model)
    if graph.metadata.lowering is Lowering.PLUGIN:
        from segpp_deploy.graph.lowering import lower_to_portable  # PyTorch is slow to load

        model = lower_to_portable(model)
    calibrator = Calibrator(model, graph.metadata, chosen, settings.threads)
    tensors = calibrator.find_ranges(methods, progress)
    results = {}
    for method in methods:
        ranges = CalibrationRanges(
            schema_version=SCHEMA_VERSION,
            model=fingerprint_model(model, graph.metadata),
            arch=graph.metadata.arch,
            mode=graph.metadata.mode,
            size=graph.metadata.size.hw,
            method=method,
            images=CalibrationImages(count=len(chosen.images), sha256=calibrator.survey.sha256),
            data=chosen.data,
            tool_version=__version__,
            tensors=tensors[method],
        )
        zero = [name for name, seen in tensors[method].items() if seen.amax == 0]
        dead = (f"Zero on every image: {', '.join(zero)}.",) if zero else ()
        results[method] = Calibration(ranges, (*chosen.warnings, *calibrator.survey.warnings(), *dead))
    return results
