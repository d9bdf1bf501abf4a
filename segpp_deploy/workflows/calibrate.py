"""Find the range of every tensor that INT8 needs, by running the float32 graph on the CPU."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from segpp_deploy import __version__
from segpp_deploy.config import CalibrationMethod, Lowering, Precision
from segpp_deploy.data.processing import prepare
from segpp_deploy.engine.contract import INPUT_NAME
from segpp_deploy.engine.graph_file import GraphFile, read_graph
from segpp_deploy.engine.onnxruntime_loader import LoadOptions, load_onnxruntime
from segpp_deploy.errors import SegppError, one_line
from segpp_deploy.files import require_writable
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.graph.precision.observe import EXTREMES, ObservedTensors, find_observed, show_extremes, show_values
from segpp_deploy.graph.precision.ranges import (
    SCHEMA_VERSION,
    CalibrationImages,
    CalibrationRanges,
    TensorRange,
    fingerprint_model,
    round_range,
    write_ranges,
)
from segpp_deploy.graph.precision.thresholds import AbsHistogram
from segpp_deploy.workflows.precision.calibration_images import (
    CalibrationImage,
    CalibrationSet,
    ImageSurvey,
    choose_images,
)
from segpp_deploy.workflows.precision.options import CALIBRATION_IMAGES, CALIBRATION_METHOD
from segpp_deploy.workflows.progress import Progress, no_progress
from segpp_deploy.workflows.segmenter import chunks

Array = NDArray[Any]
TakeOutputs = Callable[[Sequence[str], list[Array]], None]


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
    calibrator = _Calibrator(model, graph.metadata, settings, chosen)
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


@dataclass(frozen=True)
class _Step:
    name: str
    progress: Progress


class _Calibrator:
    """Runs the two passes."""

    def __init__(
        self, model: ir.Model, metadata: ExportMetadata, settings: CalibrateSettings, chosen: CalibrationSet
    ) -> None:
        self.survey = ImageSurvey(chosen.classes)
        self._proto = ir.to_proto(model)
        self._observed: ObservedTensors = find_observed(model)
        self._metadata = metadata
        self._settings = settings
        self._images = chosen.images

    def find_ranges(
        self, methods: Sequence[CalibrationMethod], progress: Progress
    ) -> dict[CalibrationMethod, dict[str, TensorRange]]:
        """Return the range of every observed tensor, by method."""
        max_abs = self._find_maxima(progress)
        self.survey.warnings()  # pictures that show nothing end it here
        clips = any(method is not CalibrationMethod.MAX for method in methods)
        histograms = self._count_values(max_abs, progress) if clips else {}
        found = {}
        for method in methods:
            is_max = method is CalibrationMethod.MAX
            amax = max_abs if is_max else {name: counted.threshold(method) for name, counted in histograms.items()}
            found[method] = self._as_ranges(max_abs, amax)
        return found

    def _as_ranges(self, max_abs: Mapping[str, float], amax: Mapping[str, float]) -> dict[str, TensorRange]:
        return {
            name: TensorRange(
                amax=round_range(amax[source]) if name in self._observed.of_layers else None,
                max_abs=round_range(max_abs[source]),
            )
            for name, source in self._observed.source_of.items()
        }

    def _find_maxima(self, progress: Progress) -> dict[str, float]:
        sources = self._observed.sources
        largest = np.zeros(len(sources), np.float32)

        def take(names: Sequence[str], outputs: list[Array]) -> None:
            extremes = np.stack(outputs).reshape(len(sources), len(EXTREMES))
            finite = np.isfinite(extremes).all(axis=1)
            if not finite.all():
                raise _not_finite(sources[int(np.argmin(finite))], names)
            np.maximum(largest, np.abs(extremes[:, :2]).max(axis=1), out=largest)

        graph = show_extremes(self._proto, sources)
        self._run(graph, take, _Step("Finding the largest values", progress), self.survey)
        return dict(zip(sources, largest.tolist(), strict=True))

    def _count_values(self, max_abs: Mapping[str, float], progress: Progress) -> dict[str, AbsHistogram]:
        counted = self._observed.counted_sources
        histograms = {name: AbsHistogram(max_abs[name]) for name in counted}

        def take(names: Sequence[str], outputs: list[Array]) -> None:
            for histogram, values in zip(histograms.values(), outputs, strict=True):
                histogram.add(values[: len(names)])

        self._run(show_values(self._proto, counted), take, _Step("Counting values", progress))
        return histograms

    def _run(self, graph: onnx.ModelProto, take: TakeOutputs, step: _Step, survey: ImageSurvey | None = None) -> None:
        """Give `take` the graph's outputs, one batch of images after the other; none are kept here."""
        done = 0
        step.progress(step.name, 0, len(self._images))
        with tempfile.TemporaryDirectory(prefix="segpp-calibrate-") as folder:
            path = Path(folder) / "observed.onnx"
            onnx.save(graph, str(path))
            session = load_onnxruntime(path, LoadOptions(threads=self._settings.threads))
            for images in chunks(self._images, self._metadata.batch or 1):
                batch = np.stack([self._prepare(image, survey) for image in images])
                take([image.name for image in images], _run_session(session, self._fill(batch)))
                done += len(images)
                step.progress(step.name, done, len(self._images))

    def _prepare(self, image: CalibrationImage, survey: ImageSurvey | None) -> Array:
        picture, labels = image.load()
        if survey is not None:
            survey.add(image.name, picture, labels)
        return prepare(picture, self._metadata.size, self._metadata.input_kind, self._metadata.normalization)

    def _fill(self, batch: Array) -> Array:
        """Repeat the last image until a fixed batch is full."""
        missing = (self._metadata.batch or 1) - len(batch)
        return np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)]) if missing else batch


def _run_session(session: Any, batch: Array) -> list[Array]:
    try:
        outputs: list[Array] = session.run(None, {INPUT_NAME: batch})
    except Exception as error:  # the binding's exceptions have no common base of their own
        raise SegppError(
            f"ONNX Runtime failed during the calibration: {one_line(error)}",
            "a graph that runs, and enough memory to hold its activations.",
            "Export at a smaller --size or --batch for the calibration.",
        ) from error
    return outputs


def _not_finite(tensor: str, images: Sequence[str]) -> SegppError:
    return SegppError(
        f"The tensor {tensor!r} holds NaN or infinite values for {' or '.join(images)}.",
        "finite activations on every calibration image.",
        "Check the weights (`segpp-deploy validate`), or leave the image out.",
    )
