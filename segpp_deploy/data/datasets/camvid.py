"""`camvid:PATH[#SPLIT]`: CamVid in its 11-class form, images/{train,val} and labels/{train,val}."""

from __future__ import annotations

from segpp_deploy.config import ClassTable
from segpp_deploy.data.datasets.base import Dataset, DatasetSpec
from segpp_deploy.data.datasets.folder import open_image_and_label_folders
from segpp_deploy.data.datasets.labels import IGNORE_INDEX, label_table
from segpp_deploy.data.label_maps import LabelMap

CAMVID_CLASSES = ClassTable(
    names=(
        "sky",
        "building",
        "pole",
        "road",
        "pavement",
        "tree",
        "sign symbol",
        "fence",
        "car",
        "pedestrian",
        "bicyclist",
    ),
    palette=(
        (128, 128, 128),
        (128, 0, 0),
        (192, 192, 128),
        (128, 64, 128),
        (60, 40, 222),
        (128, 128, 0),
        (192, 128, 128),
        (64, 64, 128),
        (64, 0, 128),
        (64, 64, 0),
        (0, 128, 192),
    ),
)
_VOID = 11


def open_camvid(spec: DatasetSpec) -> Dataset[LabelMap]:
    """Open the val split, or the one named; void (11) is ignored."""
    stored = {index: index for index in range(len(CAMVID_CLASSES))} | {_VOID: IGNORE_INDEX}
    return open_image_and_label_folders(spec.with_default_split("val"), CAMVID_CLASSES, label_table(stored))
