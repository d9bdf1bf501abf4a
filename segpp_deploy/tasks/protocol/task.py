"""The protocol of a task: what its models put out, what that means in the picture, how it is scored and drawn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import ClassTable, Inference, OutputKind, Size, TaskName
from segpp_deploy.data.geometry.crop import Box
from segpp_deploy.data.images import ByteImage
from segpp_deploy.data.label_maps import LabelMap
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.tasks.protocol.evaluation import Evaluation, Score

Array = NDArray[Any]

P = TypeVar("P")
P_co = TypeVar("P_co", covariant=True)
P_contra = TypeVar("P_contra", contravariant=True)
T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class Views(Protocol[P_co]):
    """What the model is shown of one picture, and how its answers become one prediction."""

    @property
    def count(self) -> int:
        """How many views there are."""

    def inputs(self) -> Iterable[ByteImage]:
        """Yield the views, uint8 [h, w, 3], one after the other."""

    def finish(self, outputs: Sequence[Array]) -> P_co:
        """Return the prediction, in the picture's own geometry.

        Args:
            outputs: the graph's output for each view, without the batch axis.
        """


class Metric(Protocol[P_contra, T_contra]):
    """Accumulates how good predictions are."""

    def update(self, prediction: P_contra, target: T_contra) -> None:
        """Add one picture."""

    def evaluate(self) -> Evaluation:
        """Return the scores over everything added."""


class Confusion(Protocol[P_contra, T_contra]):
    """Counts how often what is true as one class was predicted as another."""

    def update(self, prediction: P_contra, target: T_contra) -> None:
        """Add one picture."""

    def counts(self) -> NDArray[np.int64]:
        """Return [K, K]: rows are what is true, columns what was predicted."""


class Agreement(Protocol[P_contra]):
    """Accumulates how far two models' predictions for the same pictures agree."""

    def update(self, reference: P_contra, other: P_contra) -> None:
        """Add one picture."""

    def scores(self) -> tuple[Score, ...]:
        """Return the share that agrees, and then what else can be said; NaN where something was not compared."""


class Task(Protocol[P, T]):
    """One task; P is what is predicted for a picture, T is what is true of it."""

    @property
    def name(self) -> TaskName:
        """As metadata and the command line spell it."""

    @property
    def outputs(self) -> tuple[OutputKind, ...]:
        """What its models can put out."""

    def default_output(self, num_outputs: int) -> OutputKind:
        """Return what a model of so many classes or keypoints puts out where nobody says it.

        Raises:
            SegppError: there are too many.
        """

    @property
    def default_size(self) -> Size:
        """The input size of exports for which nobody named one."""

    @property
    def counted(self) -> str:
        """What agreement counts, in the plural, such as "pixels"."""

    def require_inference(self, inference: Inference, metadata: ExportMetadata) -> None:
        """Check that an engine can be used in this way.

        Raises:
            SegppError: it cannot.
        """

    def views(self, image: ByteImage, box: Box | None, inference: Inference, metadata: ExportMetadata) -> Views[P]:
        """Say what an engine is shown of a picture uint8 [H, W, 3], or of a box of it."""

    def metric(self, classes: ClassTable, boundary_px: int = 0) -> Metric[P, T]:
        """Return a new metric.

        Args:
            classes: of the model.
            boundary_px: judge besides what lies so near to the edges of regions; 0: do not.

        Raises:
            SegppError: the task has no regions.
        """

    def confusion(self, classes: ClassTable) -> Confusion[P, T]:
        """Return a new count of what is taken for what."""

    def agreement(self, reference: ExportMetadata, other: ExportMetadata) -> Agreement[P]:
        """Return a new measure of how far two engines' predictions agree."""

    def as_target(self, prediction: P, box: Box | None) -> T:
        """Take a reference's prediction for the truth, where pictures have no labels."""

    def without_outputs(self, prediction: P) -> P:
        """Return the prediction without the raw outputs it was made from, to be kept for long."""

    def classes_in(self, target: T) -> frozenset[int]:
        """Return the classes or keypoints that a target shows."""

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What is taken for granted where pictures come without boxes, in sentences for the user."""

    def conditions(self, inference: Inference) -> tuple[str, ...]:
        """What has to be known of the way of inference to compare scores with others', in sentences for the user."""

    def require_label_maps(self, option: str) -> None:
        """Check that a prediction is a class for every pixel, which the option of that name is about.

        Raises:
            SegppError: it is not.
        """

    def label_map(self, prediction: P) -> LabelMap:
        """Return the class of every pixel; raises what `require_label_maps` raises."""

    def require_parts(self, option: str) -> None:
        """Check that what was counted on parts of a data set adds up to what is counted on all of it, exactly.

        Metrics, agreements and confusions then have a method `merge`, which adds another one of their kind. The option
        of that name takes a data set apart.

        Raises:
            SegppError: it does not.
        """

    def require_keypoints(self, option: str) -> None:
        """Check that a prediction is keypoints, which the option of that name is about.

        Raises:
            SegppError: it is not.
        """

    def coco_result(self, prediction: P) -> dict[str, Any]:
        """Return `keypoints` and `score` of COCO's result format; raises what `require_keypoints` raises."""

    def draw(self, image: ByteImage, prediction: P, metadata: ExportMetadata, *, legend: bool = True) -> ByteImage:
        """Draw a model's prediction over its picture; returns a new picture."""

    def draw_target(self, image: ByteImage, target: T, metadata: ExportMetadata, *, legend: bool = True) -> ByteImage:
        """Draw what is true of a picture as `draw` draws a prediction."""

    def draw_errors(self, image: ByteImage, prediction: P, target: T) -> ByteImage:
        """Draw what is wrong in red on the pale picture; returns a new picture."""


AnyTask = Task[Any, Any]
