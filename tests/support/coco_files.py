"""Small annotation files in COCO's format, with pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from segpp_deploy.data.datasets.coco_keypoints import COCO_KEYPOINTS

SIZE_HW = (60, 80)


def person(number: int, image_id: int, bbox: list[float], **changes: Any) -> dict[str, Any]:
    """An annotation whose keypoints lie along the box's diagonal, all visible."""
    left, top, width, height = bbox
    shares = np.linspace(0, 1, len(COCO_KEYPOINTS))
    points = [value for share in shares.tolist() for value in (left + share * width, top + share * height, 2)]
    entry = {
        "id": number,
        "image_id": image_id,
        "category_id": 1,
        "bbox": bbox,
        "keypoints": points,
        "num_keypoints": len(COCO_KEYPOINTS),
        "iscrowd": 0,
        "area": width * height,
    }
    return {**entry, **changes}


def write_coco(root: Path, annotations: list[dict[str, Any]], pictures: int = 2, **changes: Any) -> Path:
    """Write COCO's layout below `root` with `pictures` pictures numbered from 1; returns the annotation file."""
    generator = np.random.default_rng(0)
    (root / "val2017").mkdir(parents=True, exist_ok=True)
    (root / "annotations").mkdir(exist_ok=True)
    images = []
    for number in range(1, pictures + 1):
        name = f"{number:012d}.png"
        assert cv2.imwrite(str(root / "val2017" / name), generator.integers(0, 256, (*SIZE_HW, 3)).astype(np.uint8))
        images.append({"id": number, "file_name": name, "height": SIZE_HW[0], "width": SIZE_HW[1]})
    category = {"id": 1, "name": "person", "keypoints": list(COCO_KEYPOINTS.names), "skeleton": [[16, 14]]}
    content = {"images": images, "annotations": annotations, "categories": [category], **changes}
    path = root / "annotations" / "person_keypoints_val2017.json"
    path.write_text(json.dumps(content))
    return path
