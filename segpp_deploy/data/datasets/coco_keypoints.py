"""COCO's 17 keypoints: names, colours, and how they belong together."""

from __future__ import annotations

from segpp_deploy.config import ClassTable, KeypointRelations

_MIDDLE, _LEFT, _RIGHT = (51, 153, 255), (0, 255, 0), (255, 128, 0)

COCO_KEYPOINTS = ClassTable(
    names=(
        "nose",
        "left_eye",
        "right_eye",
        "left_ear",
        "right_ear",
        "left_shoulder",
        "right_shoulder",
        "left_elbow",
        "right_elbow",
        "left_wrist",
        "right_wrist",
        "left_hip",
        "right_hip",
        "left_knee",
        "right_knee",
        "left_ankle",
        "right_ankle",
    ),
    palette=(*(_MIDDLE,) * 5, *(_LEFT, _RIGHT) * 6),
)

_SIGMAS_OF_PAIRS = (0.025, 0.035, 0.079, 0.072, 0.062, 0.107, 0.087, 0.089)

# COCO keypoints evaluation (cocodataset.org/#keypoints-eval); the skeleton is that of the annotations' category.
COCO_RELATIONS = KeypointRelations(
    flip_pairs=tuple((left, left + 1) for left in range(1, 17, 2)),
    sigmas=(0.026, *(sigma for sigma in _SIGMAS_OF_PAIRS for _ in range(2))),
    skeleton=(
        (15, 13),
        (13, 11),
        (16, 14),
        (14, 12),
        (11, 12),
        (5, 11),
        (6, 12),
        (5, 6),
        (5, 7),
        (6, 8),
        (7, 9),
        (8, 10),
        (1, 2),
        (0, 1),
        (0, 2),
        (1, 3),
        (2, 4),
        (3, 5),
        (4, 6),
    ),
)
