"""Semantic segmentation: a class for every pixel."""

from __future__ import annotations

from typing import Any

import numpy as np

from segpp_deploy import commands
from segpp_deploy.config import ClassTable, Fit, Inference, OutputKind, Size, TaskName
from segpp_deploy.data.geometry.crop import Box
from segpp_deploy.data.images import ByteImage
from segpp_deploy.data.label_maps import MAX_BYTE_CLASSES, MAX_CLASSES, LabelMap, ignored_label
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.tasks.protocol.outputs import are_comparable
from segpp_deploy.tasks.segmentation.agreement import SegmentationAgreement
from segpp_deploy.tasks.segmentation.metric import SegmentationMetric
from segpp_deploy.tasks.segmentation.overlay import draw_errors, draw_overlay
from segpp_deploy.tasks.segmentation.pixel_confusion import PixelConfusion
from segpp_deploy.tasks.segmentation.prediction import PaddedPicture, Segmentation, SlidingWindows, WholePicture


class SegmentationTask:
    """Implements `Task`: predictions are `Segmentation`, targets are label maps."""

    name = TaskName.SEG
    outputs = (*(kind for kind in OutputKind if kind.is_labels), OutputKind.LOGITS)
    default_size = Size(512, 1024)
    counted = "pixels"
    assumptions: tuple[str, ...] = ()

    def default_output(self, num_outputs: int) -> OutputKind:
        """Return labels, or logits where labels in bytes cannot number the classes.

        Raises:
            SegppError: more classes than even labels of two bytes can number.
        """
        if num_outputs > MAX_CLASSES:
            raise SegppError(
                f"The model has {num_outputs} classes.",
                f"at most {MAX_CLASSES}, which label maps of 16 bits can number.",
                "Choose a model with fewer classes.",
            )
        return OutputKind.LABELS if num_outputs <= MAX_BYTE_CLASSES else OutputKind.LOGITS

    def require_inference(self, inference: Inference, metadata: ExportMetadata) -> None:
        """Check that windows can be averaged.

        Raises:
            SegppError: they cannot: overlapping windows need logits, not finished labels; or FLIP is asked for.
        """
        if inference is Inference.FLIP:
            raise SegppError(
                "The mirror image is not looked at in segmentation, nor is it behind published figures.",
                f"{Inference.WHOLE} or {Inference.SLIDE}.",
                commands.option("inference", Inference.WHOLE),
            )
        if inference is Inference.SLIDE and metadata.output_kind is not OutputKind.LOGITS:
            raise SegppError(
                f"Sliding-window inference cannot use an engine that puts out {metadata.output_kind}.",
                "an engine whose output is logits (overlapping windows are averaged before the argmax).",
                commands.export(output=OutputKind.LOGITS)
                + ", then "
                + commands.build_engine()
                + "; or "
                + commands.option("inference", Inference.WHOLE),
            )

    def views(
        self, image: ByteImage, box: Box | None, inference: Inference, metadata: ExportMetadata
    ) -> WholePicture | PaddedPicture | SlidingWindows:
        """Show the picture whole, stretched or padded as the export says, or window by window; boxes play no part."""
        if inference is Inference.SLIDE:
            return SlidingWindows(image, metadata)
        return (PaddedPicture if metadata.fit is Fit.PAD else WholePicture)(image, metadata)

    def metric(self, classes: ClassTable, boundary_px: int = 0) -> SegmentationMetric:
        """Return new counts of pixels."""
        return SegmentationMetric(classes, boundary_px)

    def confusion(self, classes: ClassTable) -> PixelConfusion:
        """Return new counts of pixels by true and predicted class."""
        return PixelConfusion(len(classes))

    def agreement(self, reference: ExportMetadata, other: ExportMetadata) -> SegmentationAgreement:
        """Return a new comparison of labels, and of logits where there are such."""
        return SegmentationAgreement(with_logits=are_comparable(reference, other))

    def as_target(self, prediction: Segmentation, box: Box | None) -> LabelMap:
        """Return the predicted labels."""
        return prediction.labels

    def without_outputs(self, prediction: Segmentation) -> Segmentation:
        """Return the labels alone."""
        return Segmentation(prediction.labels)

    def classes_in(self, target: LabelMap) -> frozenset[int]:
        """Return the classes with at least one pixel."""
        present = np.flatnonzero(np.bincount(target.ravel()))
        return frozenset(present.tolist()) - {ignored_label(target)}

    def conditions(self, inference: Inference) -> tuple[str, ...]:
        """Return none: the way of inference is what it is called."""
        return ()

    def require_label_maps(self, option: str) -> None:
        """Do nothing: labels are all there is."""

    def label_map(self, prediction: Segmentation) -> LabelMap:
        """Return the labels."""
        return prediction.labels

    def require_parts(self, option: str) -> None:
        """Do nothing: counts of pixels add up."""

    def require_keypoints(self, option: str) -> None:
        """Refuse: labels of pixels are no keypoints.

        Raises:
            SegppError: always.
        """
        raise _no_keypoints(option)

    def coco_result(self, prediction: Segmentation) -> dict[str, Any]:
        """Refuse, as `require_keypoints`."""
        raise _no_keypoints("keypoints")

    def draw(
        self, image: ByteImage, prediction: Segmentation, metadata: ExportMetadata, *, legend: bool = True
    ) -> ByteImage:
        """Tint each pixel with its class."""
        return draw_overlay(image, prediction.labels, metadata.classes, legend=legend)

    def draw_target(
        self, image: ByteImage, target: LabelMap, metadata: ExportMetadata, *, legend: bool = True
    ) -> ByteImage:
        """Tint each pixel with its true class."""
        return draw_overlay(image, target, metadata.classes, legend=legend)

    def draw_errors(self, image: ByteImage, prediction: Segmentation, target: LabelMap) -> ByteImage:
        """Paint the pixels red whose class is wrong."""
        return draw_errors(image, prediction.labels, target)


def _no_keypoints(option: str) -> SegppError:
    return SegppError(
        "A segmentation model finds no keypoints.", "a pose model.", "Leave " + commands.option(option) + " out."
    )
