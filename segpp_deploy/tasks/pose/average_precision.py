"""COCO's average precision of keypoints, by pycocotools; what leads up to it follows mmpose's top-down evaluation.

A person's score is the box's times the mean of the keypoints' above 0.2; of poses that are nearly the same one is kept.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.data.datasets.coco_json import CocoFile
from segpp_deploy.data.datasets.keypoints import PersonEntry
from segpp_deploy.errors import SegppError
from segpp_deploy.tasks.pose.prediction import Pose
from segpp_deploy.tasks.protocol.evaluation import Score

SAME_PERSON = 0.9
"""Poses of one picture whose OKS is larger are one person's."""

INSTALL = "pip install 'segpp-deploy[pose]'"

_NAMES = ("AP", "AP50", "AP75", "AP medium", "AP large", "AR")


@dataclass(frozen=True)
class FoundPerson:
    """A pose with what COCO's results say of it: float [K, 2] points, float [K] scores."""

    points: NDArray[np.float32]
    scores: NDArray[np.float32]
    area_px: float
    score: float


class AveragePrecision:
    """Collects the poses of an annotation file's pictures."""

    def __init__(self) -> None:
        self._truth: CocoFile | None = None
        self._found: dict[int, list[FoundPerson]] = defaultdict(list)

    def update(self, pose: Pose, entry: PersonEntry) -> None:
        """Add one person."""
        self._truth = entry.truth
        score = entry.box_score * pose.score
        self._found[entry.image_id].append(FoundPerson(pose.points, pose.scores, pose.crop_px, score))

    @property
    def is_possible(self) -> bool:
        """Whether the file of the persons seen has what AP needs."""
        return self._truth is not None and not why_none(self._truth)

    def scores(self) -> tuple[Score, ...]:
        """Return AP, at OKS 0.5 and 0.75, of medium and large persons, and AR; none where `missing` says why.

        Raises:
            SegppError: pycocotools is not installed.
        """
        if self._truth is None or not self.is_possible:
            return ()
        statistics = _evaluate(self._truth, self._found)
        return tuple(Score(name, value) for name, value in zip(_NAMES, statistics, strict=True))

    def notes(self) -> tuple[str, ...]:
        """Return what has to be known to read the scores, or why there are none."""
        truth = self._truth
        if truth is None:
            return ()
        reason = why_none(truth)
        if reason:
            return (f"No AP: {reason}.",)
        seen, all_images = len(self._found), len({person.image_id for person in truth.persons})
        if seen == all_images:
            return ()
        return (f"AP is of {seen} pictures of {all_images} with persons; those of them not looked at count as missed.",)


def why_none(truth: CocoFile) -> str:
    """Return why there can be no AP on a file, or ""."""
    if not truth.relations.sigmas:
        return "nobody said how far annotators of these keypoints differ (sigmas)"
    if any(person.area is None for person in truth.persons if person.labelled):
        return f"{truth.path.name} gives persons no area"
    return ""


def has_library() -> bool:
    """Whether pycocotools can be imported."""
    try:
        importlib.import_module("pycocotools.cocoeval")
    except ImportError:
        return False
    return True


def require_library() -> None:
    """Check that pycocotools is installed.

    Raises:
        SegppError: it is not.
    """
    if not has_library():
        raise SegppError("COCO's AP needs pycocotools, which is not installed.", "the extra 'pose'.", INSTALL)


def without_repeated(people: Sequence[FoundPerson], sigmas: Sequence[float]) -> list[FoundPerson]:
    """Return the surest pose of each person, by OKS among the poses of one picture."""
    left = sorted(people, key=lambda one: -one.score)
    kept: list[FoundPerson] = []
    while left:
        best, *others = left
        kept.append(best)
        left = [other for other in others if _oks(best, other, sigmas) <= SAME_PERSON]
    return kept


def _oks(one: FoundPerson, other: FoundPerson, sigmas: Sequence[float]) -> float:
    """Object keypoint similarity of two poses, over all keypoints."""
    squared = ((one.points.astype(np.float64) - other.points) ** 2).sum(axis=1)
    variance = (2 * np.asarray(sigmas)) ** 2
    area = (one.area_px + other.area_px) / 2 + np.spacing(1)
    return float(np.exp(-squared / variance / area / 2).mean())


def _evaluate(truth: CocoFile, found: dict[int, list[FoundPerson]]) -> list[float]:
    require_library()
    coco: Any = importlib.import_module("pycocotools.coco")
    cocoeval: Any = importlib.import_module("pycocotools.cocoeval")
    category = next(person.category_id for person in truth.persons if person.keypoints)
    sigmas = truth.relations.sigmas
    results = [
        {
            "image_id": image,
            "category_id": category,
            "keypoints": np.column_stack([one.points, one.scores]).astype(float).ravel().tolist(),
            "score": one.score,
        }
        for image, people in found.items()
        for one in without_repeated(people, sigmas)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        expected = coco.COCO()
        expected.dataset = _as_coco(truth, category)
        expected.createIndex()
        evaluation = cocoeval.COCOeval(expected, expected.loadRes(results), "keypoints")
        evaluation.params.kpt_oks_sigmas = np.array(sigmas)
        evaluation.params.imgIds = sorted(found)
        evaluation.params.catIds = [category]
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float(value) if value >= 0 else math.nan for value in evaluation.stats[: len(_NAMES)]]


def _as_coco(truth: CocoFile, category: int) -> dict[str, Any]:
    """The file as pycocotools takes it, with what it needs and files may leave out."""
    return {
        "images": [{"id": image.id} for image in truth.images],
        "categories": [{"id": category, "name": "person"}],
        "annotations": [
            {
                "id": person.id,
                "image_id": person.image_id,
                "category_id": person.category_id,
                "bbox": person.bbox or [0.0] * 4,
                "keypoints": person.keypoints or [0.0] * (3 * len(truth.classes)),
                "num_keypoints": person.labelled,
                "iscrowd": person.iscrowd,
                "area": person.area or 0.0,
            }
            for person in truth.persons
        ],
    }
