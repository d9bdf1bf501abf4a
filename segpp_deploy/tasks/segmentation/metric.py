"""Mean intersection over union and its parts, from counts of pixels."""

from __future__ import annotations

from segpp_deploy.config import ClassTable
from segpp_deploy.data.label_maps import LabelMap
from segpp_deploy.tasks.protocol.evaluation import Evaluation, PerClass, Score
from segpp_deploy.tasks.segmentation.boundary import BoundaryCounts
from segpp_deploy.tasks.segmentation.doubts import find_doubts, missing_classes
from segpp_deploy.tasks.segmentation.pixel_counts import PixelCounts
from segpp_deploy.tasks.segmentation.prediction import Segmentation


class SegmentationMetric:
    """Mean intersection over union; `PixelCounts` says how classes that do not occur are treated.

    Args:
        classes: of the model.
        boundary_px: tell boundary IoU at this distance too; 0: do not.
    """

    def __init__(self, classes: ClassTable, boundary_px: int = 0) -> None:
        self._classes = classes
        self._counts = PixelCounts(len(classes))
        self._boundary_px = boundary_px
        self._boundary = BoundaryCounts(len(classes), boundary_px) if boundary_px else None

    def update(self, prediction: Segmentation, target: LabelMap) -> None:
        """Add one picture and its labels [H, W]."""
        self._counts.update(prediction.labels, target)
        if self._boundary is not None:
            self._boundary.update(prediction.labels, target)

    def merge(self, other: SegmentationMetric) -> None:
        """Add what another one counted."""
        self._counts.merge(other._counts)
        if self._boundary is not None and other._boundary is not None:
            self._boundary.merge(other._boundary)

    def evaluate(self) -> Evaluation:
        """Return mIoU, the accuracy of pixels, and the IoU of each class."""
        counts, classes = self._counts, self._classes
        boundary: tuple[Score, ...] = ()
        if self._boundary is not None:
            boundary = (Score(f"boundary IoU@{self._boundary_px}px", self._boundary.mean_iou()),)
        iou = dict(zip(classes.distinct_names, counts.per_class_iou().tolist(), strict=True))
        return Evaluation(
            headline=Score("mIoU", counts.miou()),
            further=(Score("pixel accuracy", counts.pixel_accuracy()), *boundary),
            per_class=PerClass("IoU", iou),
            samples=counts.images,
            notes=missing_classes(counts, classes),
            warnings=find_doubts(counts, classes),
        )
