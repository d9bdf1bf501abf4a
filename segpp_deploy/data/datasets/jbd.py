"""`jbd:PATH[#SPLIT]`: the Jump Broadcast Dataset, 20 keypoints of ski jumpers and athletes.

Layout: annotations/{train,val}_jump.json in COCO's format, images/{train,val}/EVENT/EVENT_(FRAME).jpg. Its annotations
have no area and its sigmas are placeholders: there is PCK and no AP.
"""

from __future__ import annotations

from segpp_deploy.config import ClassTable, KeypointRelations
from segpp_deploy.data.datasets.base import Dataset, DatasetSpec
from segpp_deploy.data.datasets.coco_json import read_coco
from segpp_deploy.data.datasets.keypoints import Keypoints
from segpp_deploy.data.datasets.person_samples import open_persons

_MIDDLE, _RIGHT, _LEFT = (51, 153, 255), (200, 0, 0), (0, 240, 0)

JBD_KEYPOINTS = ClassTable(
    names=(
        *("head", "neck"),
        *("rsho", "relb", "rwri", "rhan"),
        *("lsho", "lelb", "lwri", "lhan"),
        *("rhip", "rkne", "rank", "rhee", "rtoe"),
        *("lhip", "lkne", "lank", "lhee", "ltoe"),
    ),
    palette=(*(_MIDDLE,) * 2, *(_RIGHT,) * 4, *(_LEFT,) * 4, *(_RIGHT,) * 5, *(_LEFT,) * 5),
)

JBD_RELATIONS = KeypointRelations(
    flip_pairs=(*((right, right + 4) for right in range(2, 6)), *((right, right + 5) for right in range(10, 15))),
    skeleton=(
        *((0, 1), (1, 2), (2, 3), (3, 4), (4, 5)),
        *((1, 6), (6, 7), (7, 8), (8, 9)),
        *((2, 10), (10, 11), (11, 12), (12, 13), (13, 14)),
        *((6, 15), (15, 16), (16, 17), (17, 18), (18, 19)),
    ),
)


def open_jbd(spec: DatasetSpec) -> Dataset[Keypoints]:
    """Open the val split, or the one named.

    Raises:
        SegppError: a file or directory is missing, or of another form.
    """
    spec = spec.with_default_split("val")
    root = spec.root()
    annotations = read_coco(root / "annotations" / f"{spec.split}_jump.json", JBD_KEYPOINTS, JBD_RELATIONS)
    return open_persons(spec, annotations, (root / "images" / str(spec.split), root / "images"))
