"""`cityscapes:PATH[#SPLIT]`: leftImg8bit/SPLIT/CITY and gtFine/SPLIT/CITY, labels as ids, scored on 19 train ids."""

from __future__ import annotations

from segpp_deploy.config import ClassTable
from segpp_deploy.data.datasets.base import Dataset, DatasetSpec, require_directory
from segpp_deploy.data.datasets.labels import IGNORE_INDEX, label_table
from segpp_deploy.data.datasets.pairing import files_by_key, pair_samples
from segpp_deploy.data.label_maps import LabelMap

# (label id, name, colour) of the classes that are scored, in order of their train ids
_SCORED = (
    (7, "road", (128, 64, 128)),
    (8, "sidewalk", (244, 35, 232)),
    (11, "building", (70, 70, 70)),
    (12, "wall", (102, 102, 156)),
    (13, "fence", (190, 153, 153)),
    (17, "pole", (153, 153, 153)),
    (19, "traffic light", (250, 170, 30)),
    (20, "traffic sign", (220, 220, 0)),
    (21, "vegetation", (107, 142, 35)),
    (22, "terrain", (152, 251, 152)),
    (23, "sky", (70, 130, 180)),
    (24, "person", (220, 20, 60)),
    (25, "rider", (255, 0, 0)),
    (26, "car", (0, 0, 142)),
    (27, "truck", (0, 0, 70)),
    (28, "bus", (0, 60, 100)),
    (31, "train", (0, 80, 100)),
    (32, "motorcycle", (0, 0, 230)),
    (33, "bicycle", (119, 11, 32)),
)
_LABEL_IDS = 34  # 0 .. 33; those not scored are ignored

CITYSCAPES_CLASSES = ClassTable(
    names=tuple(name for _, name, _ in _SCORED), palette=tuple(colour for _, _, colour in _SCORED)
)


def open_cityscapes(spec: DatasetSpec) -> Dataset[LabelMap]:
    """Open the val split, or the one named, with the `*_gtFine_labelIds.png` label maps.

    Raises:
        SegppError: a directory is missing, empty, or pictures and labels do not match.
    """
    root, split = spec.root(), spec.split or "val"
    pictures = require_directory(root / "leftImg8bit" / split, spec.kind)
    annotations = require_directory(root / "gtFine" / split, spec.kind)
    train_id_of = dict.fromkeys(range(_LABEL_IDS), IGNORE_INDEX)
    train_id_of |= {label_id: train_id for train_id, (label_id, _, _) in enumerate(_SCORED)}
    samples = pair_samples(
        files_by_key(pictures, "_leftImg8bit"),
        files_by_key(annotations, "_gtFine_labelIds"),
        pictures,
        label_table(train_id_of),
    )
    return Dataset(f"{spec.kind}:{spec.path}#{split}", samples, classes=CITYSCAPES_CLASSES)
