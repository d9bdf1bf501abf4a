"""`coco-pose:PATH[#SPLIT]`: persons of COCO, or of any file in COCO's format with keypoints.

PATH is COCO's directory, with annotations/person_keypoints_SPLIT.json and pictures in SPLIT/, or an annotation file;
pictures are then looked for beside it, in images/ beside it, and where COCO would have them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from segpp_deploy.data.datasets.base import Dataset, DatasetSpec
from segpp_deploy.data.datasets.coco_json import CocoFile, read_coco
from segpp_deploy.data.datasets.coco_keypoints import COCO_KEYPOINTS, COCO_RELATIONS
from segpp_deploy.data.datasets.keypoints import Keypoints
from segpp_deploy.data.datasets.person_samples import open_persons

_FILE_START = "person_keypoints_"


def open_coco_pose(spec: DatasetSpec) -> Dataset[Keypoints]:
    """Open the val2017 split, or the one named, or the file named.

    Raises:
        SegppError: a file or directory is missing, or of another form.
    """
    named = Path(spec.path).expanduser()
    if named.is_file():
        folder = named.parent
        usual = folder.parent / named.stem.removeprefix(_FILE_START)
        roots = (folder, folder / "images", usual, folder.parent, folder.parent / "images")
        return open_persons(spec, _read(named), roots)
    spec = spec.with_default_split("val2017")
    root, split = spec.root(), str(spec.split)
    file = root / "annotations" / f"{_FILE_START}{split}.json"
    return open_persons(spec, _read(file), (root / split, root / "images" / split))


def _read(path: Path) -> CocoFile:
    """Files of COCO's own keypoints have its colours, flip pairs and sigmas."""
    found = read_coco(path)
    if found.classes.names != COCO_KEYPOINTS.names:
        return found
    return replace(found, classes=COCO_KEYPOINTS, relations=COCO_RELATIONS)
