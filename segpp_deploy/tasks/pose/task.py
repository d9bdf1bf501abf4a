"""Top-down pose: the keypoints of one person in a box."""

from __future__ import annotations

import numpy as np

from segpp_deploy import commands
from segpp_deploy.config import ClassTable, Inference, OutputKind, Size, TaskName
from segpp_deploy.data.datasets.keypoints import Keypoints
from segpp_deploy.data.geometry.crop import Box
from segpp_deploy.data.images import ByteImage
from segpp_deploy.data.label_maps import LabelMap
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.tasks.pose.agreement import PoseAgreement
from segpp_deploy.tasks.pose.drawing import draw_keypoints
from segpp_deploy.tasks.pose.metric import PckMetric
from segpp_deploy.tasks.pose.prediction import PersonCrop, Pose
from segpp_deploy.tasks.protocol.outputs import are_comparable


class PoseTask:
    """Implements `Task`: predictions are `Pose`, targets are `Keypoints`; without a box the whole picture is one."""

    name = TaskName.POSE
    outputs = (OutputKind.HEATMAPS,)
    default_size = Size(384, 288)
    counted = "keypoints"
    assumptions: tuple[str, ...] = ("Assumed: each picture shows one person, who fills it.",)

    def default_output(self, num_outputs: int) -> OutputKind:
        """Return heatmaps, which are all there is."""
        return OutputKind.HEATMAPS

    def require_inference(self, inference: Inference, metadata: ExportMetadata) -> None:
        """Check that the person is looked at whole.

        Raises:
            SegppError: windows, which would cut persons apart.
        """
        if inference is Inference.SLIDE:
            raise SegppError(
                "Sliding windows would cut persons apart.",
                "boxes of whole persons.",
                commands.option("inference", Inference.WHOLE),
            )

    def views(self, image: ByteImage, box: Box | None, inference: Inference, metadata: ExportMetadata) -> PersonCrop:
        """Show the crop around the box."""
        return PersonCrop(image, box, metadata)

    def metric(self, classes: ClassTable) -> PckMetric:
        """Return a new count of keypoints found."""
        return PckMetric(classes)

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
        return Pose(prediction.points, prediction.scores)

    def classes_in(self, target: Keypoints) -> frozenset[int]:
        """Return the keypoints that are labelled."""
        return frozenset(np.flatnonzero(target.is_labelled).tolist())

    def require_label_maps(self) -> None:
        """Refuse: keypoints are no labels of pixels.

        Raises:
            SegppError: always.
        """
        raise _no_label_maps()

    def label_map(self, prediction: Pose) -> LabelMap:
        """Refuse, as `require_label_maps`."""
        raise _no_label_maps()

    def draw(self, image: ByteImage, prediction: Pose, classes: ClassTable, *, legend: bool = True) -> ByteImage:
        """Draw the keypoints, with their names where a legend is wanted."""
        return draw_keypoints(image, prediction, classes, names=legend)


def _no_label_maps() -> SegppError:
    return SegppError(
        "A pose model gives no label of a pixel.",
        "a segmentation model.",
        "Leave " + commands.option("labels-png") + " out.",
    )
