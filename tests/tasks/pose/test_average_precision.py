"""AP agrees with pycocotools, fed by a transcription of the published steps before it."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segpp_deploy.config import default_class_table
from segpp_deploy.data.datasets.coco_keypoints import COCO_KEYPOINTS, COCO_RELATIONS
from segpp_deploy.data.datasets.registry import parse_dataset
from segpp_deploy.errors import SegppError
from segpp_deploy.tasks.pose import average_precision, metric
from segpp_deploy.tasks.pose.average_precision import FoundPerson, without_repeated
from segpp_deploy.tasks.pose.metric import PoseMetric
from segpp_deploy.tasks.pose.prediction import Pose
from tests.support.coco_files import person, write_coco
from tests.support.requirements import needs

PAIRED = (0.025, 0.035, 0.079, 0.072, 0.062, 0.107, 0.087, 0.089)
SIGMAS = np.array([0.026, *np.repeat(PAIRED, 2)])


def published_results(people: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Score and NMS of one picture, written from the published description."""
    for one in people:
        kept = [score for score in one["scores"] if score > 0.2]
        one["score"] = one["box_score"] * (sum(kept) / len(kept) if kept else 0.0)
    order = sorted(range(len(people)), key=lambda i: -people[i]["score"])
    kept_people = []
    while order:
        first = order.pop(0)
        kept_people.append(people[first])
        rest = []
        for other in order:
            total = 0.0
            for k, sigma in enumerate(SIGMAS):
                dx, dy = people[other]["points"][k] - people[first]["points"][k]
                area = (people[first]["area"] + people[other]["area"]) / 2 + np.spacing(1)
                total += np.exp(-(dx**2 + dy**2) / (2 * sigma) ** 2 / area / 2)
            if total / len(SIGMAS) <= 0.9:
                rest.append(other)
        order = rest
    return kept_people


def crowded_file(root: Path, random: np.random.Generator) -> Path:
    """Persons of all sizes; crowds, persons without labels, keypoints without a label, and boxes beyond the border."""
    people = []
    for number in range(60):
        extent = float(random.choice([8.0, 45.0, 120.0]))
        box = [float(random.uniform(-5, 40)), float(random.uniform(-5, 30)), extent, extent * 1.2]
        entry = person(number, 1 + number % 12, box, iscrowd=int(number % 17 == 0))
        points = np.array(entry["keypoints"]).reshape(17, 3)
        points[random.random(17) < 0.3, 2] = 0
        points[:, :2] += random.normal(0, extent / 20, (17, 2))
        if number % 13 == 5:
            points[:, 2] = 0
        entry |= {"keypoints": points.ravel().tolist(), "num_keypoints": int((points[:, 2] > 0).sum())}
        people.append(entry)
    return write_coco(root, people, pictures=12)


@needs("pycocotools")
def test_against_pycocotools(tmp_path: Path) -> None:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    random = np.random.default_rng(3)
    file = crowded_file(tmp_path, random)
    judged, by_image = PoseMetric(COCO_KEYPOINTS), dict[int, list[dict[str, Any]]]()
    for sample in parse_dataset(f"coco-pose:{tmp_path}"):
        target = sample.load(17).target
        for repeat in range(2):  # the second is nearly the first, or another pose
            noise = random.normal(0, target.person_px / 30 * (0.02 if repeat else 1), (17, 2))
            points = (target.points + noise).astype(np.float32)
            scores = random.uniform(0, 1, 17).astype(np.float32)
            pose = Pose(points, scores, crop_px=float(target.person_px**2 * 1.5))
            judged.update(pose, target)
            by_image.setdefault(target.entry.image_id, []).append(
                {"points": points.astype(float), "scores": scores, "box_score": 1.0, "area": pose.crop_px}
            )
    results = [
        {
            "image_id": image,
            "category_id": 1,
            "keypoints": np.column_stack([one["points"], one["scores"]]).ravel().tolist(),
            "score": float(one["score"]),
        }
        for image, people in by_image.items()
        for one in published_results(people)
    ]
    assert 0 < len(results) < sum(map(len, by_image.values())), "some poses were repeated"
    (tmp_path / "results.json").write_text(json.dumps(results))
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(file))
        evaluation = COCOeval(truth, truth.loadRes(str(tmp_path / "results.json")), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    found = {score.name: score.value for score in judged.evaluate().scores}
    expected = dict(zip(("AP", "AP50", "AP75", "AP medium", "AP large", "AR"), evaluation.stats, strict=False))
    assert 0.1 < expected["AP"] < 0.99
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-5), name


@needs("pycocotools")
def test_perfect_poses(tmp_path: Path) -> None:
    write_coco(tmp_path, [person(1, 1, [10, 10, 40, 40]), person(2, 2, [5, 5, 50, 50])])
    judged = PoseMetric(COCO_KEYPOINTS)
    (first, second) = (sample.load(17).target for sample in parse_dataset(f"coco-pose:{tmp_path}"))
    judged.update(Pose(first.points, np.ones(17, np.float32), crop_px=2000.0), first)
    partial = judged.evaluate()
    assert partial.headline.name == "PCK@0.1"
    assert {score.name: score.value for score in partial.scores}["AP"] == pytest.approx(1)
    assert "AP is of 1 pictures of 2 with persons" in partial.notes[-1]
    judged.update(Pose(second.points, np.ones(17, np.float32), crop_px=2000.0), second)
    assert judged.evaluate().notes == ()


@needs("pycocotools")
def test_of_a_detectors_boxes_ap_is_the_headline(tmp_path: Path) -> None:
    write_coco(tmp_path, [person(1, 1, [10, 10, 40, 40])], pictures=1)
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps([{"image_id": 1, "bbox": [10, 10, 40, 40], "score": 0.5}]))
    (truth,) = (sample.load(17).target for sample in parse_dataset(f"coco-pose:{tmp_path}"))
    (found,) = (sample.load(17).target for sample in parse_dataset(f"coco-pose:{tmp_path}", boxes=boxes))
    judged = PoseMetric(COCO_KEYPOINTS)
    judged.update(Pose(truth.points, np.ones(17, np.float32), crop_px=2000.0), found)
    evaluation = judged.evaluate()
    assert (evaluation.headline.name, evaluation.headline.value) == ("AP", pytest.approx(1))
    assert evaluation.to_dict()["headline"] == "ap"


@pytest.mark.parametrize(("change", "reason"), [({"area": None}, "no area"), ({}, "sigmas")])
def test_where_there_can_be_no_ap(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    names = {} if change else {"categories": [{"id": 1, "keypoints": [f"point {i}" for i in range(17)]}]}
    write_coco(tmp_path, [person(1, 1, [10, 10, 40, 40], **change)], **names)
    (target,) = (sample.load(17).target for sample in parse_dataset(f"coco-pose:{tmp_path}"))
    judged = PoseMetric(default_class_table(17))
    judged.update(Pose(target.points, np.ones(17, np.float32)), target)
    found = judged.evaluate()
    assert [score.name for score in found.scores] == ["PCK@0.1", "PCK@0.05"]
    assert found.headline.value == 1
    assert reason in found.notes[-1]


def test_without_pycocotools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metric, "has_library", lambda: False)
    monkeypatch.setattr(average_precision, "has_library", lambda: False)
    write_coco(tmp_path, [person(1, 1, [10, 10, 40, 40])], pictures=1)
    (target,) = (sample.load(17).target for sample in parse_dataset(f"coco-pose:{tmp_path}"))
    judged, pose = PoseMetric(COCO_KEYPOINTS), Pose(target.points, np.ones(17, np.float32))
    judged.update(pose, target)
    assert judged.evaluate().notes == ("No AP: pycocotools is not installed (pip install 'segpp-deploy[pose]').",)
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps([{"image_id": 1, "bbox": [10, 10, 40, 40]}]))
    (detected,) = (sample.load(17).target for sample in parse_dataset(f"coco-pose:{tmp_path}", boxes=boxes))
    with pytest.raises(SegppError, match="needs pycocotools"):
        PoseMetric(COCO_KEYPOINTS).update(pose, detected)


def test_one_pose_of_each_person_stays() -> None:
    points = np.zeros((17, 2), np.float32)
    far = points + 500
    people = [
        FoundPerson(points, np.ones(17), 1000.0, 0.3),
        FoundPerson(points + 0.1, np.ones(17), 1000.0, 0.9),
        FoundPerson(far, np.ones(17), 1000.0, 0.1),
    ]
    kept = without_repeated(people, COCO_RELATIONS.sigmas)
    assert [one.score for one in kept] == [0.9, 0.1]
