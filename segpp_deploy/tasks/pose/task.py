"""Top-down pose: the keypoints of one person in a box."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from segpp_deploy import commands
from segpp_deploy.config import ClassTable, Inference, KeypointRelations, OutputKind, Size, TaskName
from segpp_deploy.data.datasets.keypoints import Keypoints
from segpp_deploy.data.geometry.crop import Box
from segpp_deploy.data.images import ByteImage
from segpp_deploy.data.label_maps import LabelMap
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.tasks.pose.agreement import PoseAgreement
from segpp_deploy.tasks.pose.drawing import draw_misses, draw_pose
from segpp_deploy.tasks.pose.metric import KeypointConfusion, PoseMetric, is_missed
from segpp_deploy.tasks.pose.prediction import PersonCrop, Pose
from segpp_deploy.tasks.protocol.outputs import are_comparable


class PoseTask:
    """Implements `Task`: predictions are `Pose`, targets are `Keypoints`; without a box the whole picture is one."""

    name = TaskName.POSE
    outputs = (OutputKind.HEATMAPS, OutputKind.KEYPOINTS)
    default_size = Size(384, 288)
    counted = "keypoints"
    assumptions: tuple[str, ...] = ("Assumed: each picture shows one person, who fills it.",)

    def default_output(self, num_outputs: int) -> OutputKind:
        """Return heatmaps, which leave open how they are decoded."""
        return OutputKind.HEATMAPS

    def require_inference(self, inference: Inference, metadata: ExportMetadata) -> None:
        """Check that the person is looked at whole, and mirrored only where that can be undone.

        Raises:
            SegppError: windows, which would cut persons apart; or a mirror image whose keypoints cannot be told, or are
                finished.
        """
        if inference is Inference.SLIDE:
            raise SegppError(
                "Sliding windows would cut persons apart.",
                "boxes of whole persons.",
                commands.option("inference", Inference.WHOLE),
            )
        if inference is Inference.FLIP and metadata.output_kind is not OutputKind.HEATMAPS:
            raise SegppError(
                f"The flip test averages heatmaps; this engine puts out {metadata.output_kind}.",
                "an engine whose output is heatmaps.",
                commands.export(output=OutputKind.HEATMAPS) + ", then " + commands.build_engine(),
            )
        if inference is Inference.FLIP and not (metadata.training.keypoints or KeypointRelations()).flip_pairs:
            raise SegppError(
                "Nobody says which keypoints change places in a mirror image.",
                "flip pairs, in the checkpoint, a model card or the data set.",
                "Export from a card that has keypoints.flip_pairs, or leave the mirror image out: "
                + commands.option("inference", Inference.WHOLE),
            )

    def views(self, image: ByteImage, box: Box | None, inference: Inference, metadata: ExportMetadata) -> PersonCrop:
        """Show the crop around the box, and where asked its mirror image."""
        return PersonCrop(image, box, inference, metadata)

    def metric(self, classes: ClassTable, boundary_px: int = 0) -> PoseMetric:
        """Return a new count of keypoints found, and COCO's AP where there can be one.

        Raises:
            SegppError: boundaries are asked for.
        """
        if boundary_px:
            raise SegppError(
                "A pose model has no regions with edges.",
                "a segmentation model.",
                "Leave " + commands.option("boundary") + " out.",
            )
        return PoseMetric(classes)

    def confusion(self, classes: ClassTable) -> KeypointConfusion:
        """Return a new count of keypoints that were found at labels of others."""
        return KeypointConfusion(len(classes))

    def agreement(self, reference: ExportMetadata, other: ExportMetadata) -> PoseAgreement:
        """Return a new comparison of keypoints, and of heatmaps where they have the same grid."""
        return PoseAgreement(with_heatmaps=are_comparable(reference, other))

    def as_target(self, prediction: Pose, box: Box | None) -> Keypoints:
        """Take the keypoints that were found as labelled; their own extent stands for a person without a box."""
        found = prediction.scores > 0
        if box is not None:
            size = box.longer_side
        else:
            extent = np.ptp(prediction.points[found], axis=0) if found.any() else np.zeros(2)
            size = float(extent.max())
        return Keypoints(prediction.points, found, max(size, 1.0))

    def without_outputs(self, prediction: Pose) -> Pose:
        """Return the keypoints alone."""
        return replace(prediction, outputs=())

    def classes_in(self, target: Keypoints) -> frozenset[int]:
        """Return the keypoints that are labelled."""
        return frozenset(np.flatnonzero(target.is_labelled).tolist())

    def conditions(self, inference: Inference) -> tuple[str, ...]:
        """Say whether the flip test was on: published figures have it, and it takes twice the time."""
        if inference is Inference.FLIP:
            return ("Flip test: on, as published figures have it; every person is looked at twice.",)
        return (f"Flip test: off; published figures have it on ({commands.option('inference', Inference.FLIP)}).",)

    def require_label_maps(self, option: str) -> None:
        """Refuse: keypoints are no labels of pixels.

        Raises:
            SegppError: always.
        """
        raise _no_label_maps(option)

    def label_map(self, prediction: Pose) -> LabelMap:
        """Refuse, as `require_label_maps`."""
        raise _no_label_maps("labels-png")

    def require_parts(self, option: str) -> None:
        """Refuse: AP ranks all persons of an annotation file together.

        Raises:
            SegppError: always.
        """
        raise SegppError(
            "A pose model is judged by all persons of a data set together, in one process.",
            "a segmentation model.",
            "Leave " + commands.option(option) + " out.",
        )

    def require_keypoints(self, option: str) -> None:
        """Do nothing: keypoints are all there is."""

    def coco_result(self, prediction: Pose) -> dict[str, Any]:
        """Return x, y and score of each keypoint, and how sure the model is of the person."""
        rows = np.column_stack([prediction.points, prediction.scores]).astype(float)
        return {"keypoints": [round(value, 3) for value in rows.ravel().tolist()], "score": prediction.score}

    def draw(self, image: ByteImage, prediction: Pose, metadata: ExportMetadata, *, legend: bool = True) -> ByteImage:
        """Draw the person's bones and keypoints, with their names where a legend is wanted."""
        skeleton = (metadata.training.keypoints or KeypointRelations()).skeleton
        return draw_pose(image, prediction, metadata.classes, skeleton, names=legend)

    def draw_target(
        self, image: ByteImage, target: Keypoints, metadata: ExportMetadata, *, legend: bool = True
    ) -> ByteImage:
        """Draw the labelled keypoints and the bones between them."""
        return self.draw(image, Pose(target.points, target.is_labelled.astype(np.float32)), metadata, legend=legend)

    def draw_errors(self, image: ByteImage, prediction: Pose, target: Keypoints) -> ByteImage:
        """Draw a line from each keypoint to its label where PCK@0.1 counts it as missed."""
        return draw_misses(image, prediction, target.points, is_missed(prediction, target))


def _no_label_maps(option: str) -> SegppError:
    return SegppError(
        "A pose model gives no label of a pixel.",
        "a segmentation model.",
        "Leave " + commands.option(option) + " out.",
    )
