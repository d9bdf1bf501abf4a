"""From images to the range of every tensor of a float32 graph."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from segpp_deploy.config import CalibrationMethod, Inference
from segpp_deploy.data.datasets import Sample
from segpp_deploy.data.datasets.selection import Selection
from segpp_deploy.data.geometry.whole import prepare
from segpp_deploy.data.images import ByteImage
from segpp_deploy.errors import SegppError
from segpp_deploy.evaluation.predictor import chunks
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.graph.precision.observe import (
    EXTREMES,
    ObservedTensors,
    find_observed,
    show_extremes,
    show_values,
    split_by_size,
)
from segpp_deploy.graph.precision.ranges import TensorRange, round_range
from segpp_deploy.graph.precision.thresholds import AbsHistogram
from segpp_deploy.progress import Progress
from segpp_deploy.runtimes.onnxruntime.loader import LoadOptions, load_onnxruntime, run_onnxruntime
from segpp_deploy.tasks.registry import TASKS
from segpp_deploy.tuning.calibration.survey import ImageSurvey

Array = NDArray[Any]
TakeOutputs = Callable[[Sequence[str], list[Array]], None]
"""Gets the names of the images, and what was computed of them."""

MOST_SHOWN_BYTES = 2 << 30
"""The values of so many bytes are looked at together; a larger graph is run in parts (B5 at 1024x1024: three)."""


@dataclass(frozen=True)
class _Step:
    """What the user is told: one part of several of a step."""

    name: str
    progress: Progress
    part: int = 0
    parts: int = 1

    def report(self, done: int, total: int) -> None:
        """Tell of images that were looked at in this part."""
        self.progress(self.name, self.part * total + done, self.parts * total)


class Calibrator:
    """Runs a graph on images twice: for the largest values, then to count values in bins up to them.

    Args:
        model: the float32 export, portable.
        metadata: its metadata.
        chosen: the images.
        threads: CPU threads; one per physical core if None.
    """

    def __init__(self, model: ir.Model, metadata: ExportMetadata, chosen: Selection, threads: int | None) -> None:
        self.survey = ImageSurvey(chosen.classes)
        self._proto = ir.to_proto(model)
        self._observed: ObservedTensors = find_observed(model)
        self._parts = split_by_size(model, self._observed.counted_sources, MOST_SHOWN_BYTES // metadata.images_per_call)
        self._metadata = metadata
        self._threads = threads
        self._samples = chosen.dataset.samples

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

        def take(images: Sequence[str], outputs: list[Array]) -> None:
            extremes = np.stack(outputs).reshape(len(sources), len(EXTREMES))
            finite = np.isfinite(extremes).all(axis=1)
            if not finite.all():
                raise _not_finite(sources[int(np.argmin(finite))], images)
            np.maximum(largest, np.abs(extremes[:, :2]).max(axis=1), out=largest)

        graph = show_extremes(self._proto, sources)
        self._run(graph, take, _Step("Finding the largest values", progress), self.survey)
        return dict(zip(sources, largest.tolist(), strict=True))

    def _count_values(self, max_abs: Mapping[str, float], progress: Progress) -> dict[str, AbsHistogram]:
        counted = self._observed.counted_sources
        histograms = {name: AbsHistogram(max_abs[name]) for name in counted}

        for index, part in enumerate(self._parts):

            def take(images: Sequence[str], outputs: list[Array], part: Sequence[str] = part) -> None:
                for name, values in zip(part, outputs, strict=True):
                    histograms[name].add(values[: len(images)])

            self._run(show_values(self._proto, part), take, _Step("Counting values", progress, index, len(self._parts)))
        return histograms

    def _run(self, graph: onnx.ModelProto, take: TakeOutputs, step: _Step, survey: ImageSurvey | None = None) -> None:
        """Give `take` the graph's outputs, one batch of images after the other; none are kept here."""
        done = 0
        step.report(0, len(self._samples))
        with tempfile.TemporaryDirectory(prefix="segpp-calibrate-") as folder:
            path = Path(folder) / "observed.onnx"
            onnx.save(graph, str(path))
            session = load_onnxruntime(path, LoadOptions(threads=self._threads, in_order=True))
            for samples in chunks(self._samples, self._metadata.images_per_call):
                batch = np.stack([self._prepare(sample, survey) for sample in samples])
                take([sample.name for sample in samples], run_onnxruntime(session, self._fill(batch)))
                done += len(samples)
                step.report(done, len(self._samples))

    def _prepare(self, sample: Sample[Any], survey: ImageSurvey | None) -> Array:
        metadata, task = self._metadata, TASKS[self._metadata.task]
        example = replace(sample, target=None).load(len(metadata.classes))
        if survey is not None:
            survey.add(sample.name, example.image, self._classes_shown(sample, example.image))
        (view,) = task.views(example.image, example.box, Inference.WHOLE, metadata).inputs()
        return prepare(view, metadata.size, metadata.input_kind, metadata.normalization)

    def _classes_shown(self, sample: Sample[Any], image: ByteImage) -> frozenset[int] | None:
        """Return the classes that labels name; None where they cannot be used, which is no reason to end it."""
        if sample.target is None:
            return frozenset()
        try:
            return TASKS[self._metadata.task].classes_in(sample.target.load(image, len(self._metadata.classes)))
        except SegppError:
            return None

    def _fill(self, batch: Array) -> Array:
        """Repeat the last image until a fixed batch is full."""
        missing = self._metadata.images_per_call - len(batch)
        return np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)]) if missing else batch


def _not_finite(tensor: str, images: Sequence[str]) -> SegppError:
    return SegppError(
        f"The tensor {tensor!r} holds NaN or infinite values for {' or '.join(images)}.",
        "finite activations on every calibration image.",
        "Check the weights, or leave the image out.",
    )
