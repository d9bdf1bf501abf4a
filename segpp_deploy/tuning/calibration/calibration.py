"""Find the range of every tensor that int8 needs, by running the float32 graph on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from segpp_deploy import __version__, commands
from segpp_deploy.config import CalibrationMethod, Lowering, Precision
from segpp_deploy.data.datasets.selection import select_pictures
from segpp_deploy.data.findings import collect_findings
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.graph_file import GraphFile
from segpp_deploy.graph.precision.ranges import (
    SCHEMA_VERSION,
    CalibrationImages,
    CalibrationRanges,
    fingerprint_model,
)
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.tuning.calibration.calibrator import Calibrator
from segpp_deploy.tuning.calibration.options import CalibrationOptions


@dataclass(frozen=True)
class Calibration:
    """Ranges, and what speaks against relying on them."""

    ranges: CalibrationRanges
    warnings: tuple[str, ...]


def calibrate_graph(graph: GraphFile, options: CalibrationOptions, progress: Progress = no_progress) -> Calibration:
    """Find the ranges of an fp32 export; a plugin graph is calibrated on the portable graph derived from it.

    Two passes: the first finds each tensor's largest value inside the runtime, the second counts the values between 0
    and it. What is kept does not grow with the images, and the result does not depend on their order.

    Raises:
        SegppError: the model or the data cannot be used, or a tensor holds NaN or infinity.
    """
    return compare_methods(graph, options, (options.method,), progress)[options.method]


def compare_methods(
    graph: GraphFile,
    options: CalibrationOptions,
    methods: Sequence[CalibrationMethod],
    progress: Progress = no_progress,
) -> dict[CalibrationMethod, Calibration]:
    """Do as `calibrate_graph` for several methods in the time of one; `options.method` does not matter."""
    if graph.metadata.precision is not Precision.FP32:
        raise SegppError(
            f"{graph.path} is in {graph.metadata.precision}.",
            "the float32 graph that `export` writes.",
            commands.export(),
        )
    metadata = graph.metadata
    model = ir.from_proto(graph.model)
    if graph.metadata.lowering is Lowering.PLUGIN:
        from segpp_deploy.graph.exporting.lowering import lower_to_portable  # PyTorch is slow to load

        model = lower_to_portable(model)
    with collect_findings() as findings:
        chosen = select_pictures(options.data, options.images, metadata.task, metadata.classes, needs_labels=False)
        calibrator = Calibrator(model, graph.metadata, chosen, options.threads)
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
            images=CalibrationImages(count=len(chosen.dataset), sha256=calibrator.survey.sha256),
            data=chosen.data,
            tool_version=__version__,
            tensors=tensors[method],
        )
        zero = [name for name, seen in tensors[method].items() if seen.amax == 0]
        dead = (f"Zero on every image: {', '.join(zero)}.",) if zero else ()
        results[method] = Calibration(
            ranges, (*chosen.warnings, *calibrator.survey.warnings(), *dead, *findings.notes())
        )
    return results
