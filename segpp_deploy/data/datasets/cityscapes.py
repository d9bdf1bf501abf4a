"""`cityscapes:PATH[#SPLIT]`: leftImg8bit/SPLIT/CITY and gtFine/SPLIT/CITY, labels as ids or train ids, 19 classes."""

from __future__ import annotations

from segpp_deploy.config import ClassTable
from segpp_deploy.data.datasets.base import Dataset, DatasetSpec
from segpp_deploy.data.datasets.labels import IGNORE_INDEX, LabelTable, label_table
from segpp_deploy.data.datasets.pairing import FilesBelow, pair_files
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
_LABEL_IDS_ENDING, _TRAIN_IDS_ENDING = "_gtFine_labelIds", "_gtFine_labelTrainIds"

CITYSCAPES_CLASSES = ClassTable(
    names=tuple(name for _, name, _ in _SCORED), palette=tuple(colour for _, _, colour in _SCORED)
)


def open_cityscapes(spec: DatasetSpec) -> Dataset[LabelMap]:
    """Open the val split, or the one named, with its `*_gtFine_labelIds.png`; where train ids are more, with those.

    Both say the same: a train id is the index of a scored class, and 255 stands for all that is not scored.

    Raises:
        SegppError: a directory is missing, empty, or pictures and labels do not match.
    """
    spec = spec.with_default_split("val")
    root, split = spec.root(), spec.split or ""
    pictures = FilesBelow(root / "leftImg8bit" / split, "_leftImg8bit")
    labels, table, notes = FilesBelow(root / "gtFine" / split, _LABEL_IDS_ENDING), _label_ids(), tuple[str, ...]()
    train_ids = FilesBelow(labels.directory, _TRAIN_IDS_ENDING)
    if len(train_ids.find()) > (found := len(labels.find())):
        labels, table = train_ids, label_table({index: index for index in range(len(_SCORED))})
        notes = (
            f"In {labels.directory} there are {found or 'no'} files *{_LABEL_IDS_ENDING}.png: the train ids "
            f"*{_TRAIN_IDS_ENDING}.png are used, which say the same.",
        )
    layout = (
        f"leftImg8bit/{split}/CITY/NAME{pictures.ending}.png and gtFine/{split}/CITY/NAME{_LABEL_IDS_ENDING}.png "
        f"(or {_TRAIN_IDS_ENDING})."
    )
    samples = pair_files(spec, pictures, labels, table, layout)
    return Dataset(spec.name, samples, classes=CITYSCAPES_CLASSES, spec=spec, notes=notes)


def _label_ids() -> LabelTable:
    train_id_of = dict.fromkeys(range(_LABEL_IDS), IGNORE_INDEX)
    return label_table(train_id_of | {label_id: train_id for train_id, (label_id, _, _) in enumerate(_SCORED)})
