"""`folder:PATH[#SPLIT]`: images/ and labels/ with files of the same name; label values are classes, 255 is ignored.

With more than 255 classes, which need 16-bit labels, 65535 is ignored.
"""

from __future__ import annotations

from segpp_deploy.config import ClassTable
from segpp_deploy.data.datasets.base import Dataset, DatasetSpec
from segpp_deploy.data.datasets.labels import LabelTable
from segpp_deploy.data.datasets.pairing import FilesBelow, pair_files
from segpp_deploy.data.label_maps import LabelMap


def open_folder(spec: DatasetSpec) -> Dataset[LabelMap]:
    """Open PATH/images and PATH/labels, or PATH/images/SPLIT and PATH/labels/SPLIT."""
    return open_image_and_label_folders(spec)


def open_image_and_label_folders(
    spec: DatasetSpec, classes: ClassTable | None = None, table: LabelTable | None = None
) -> Dataset[LabelMap]:
    """Open images/[split] and labels/[split] with the given class names and label values.

    Raises:
        SegppError: a directory is missing, empty, or the two do not match.
    """
    root, split = spec.root(), spec.split or ""
    images, labels = FilesBelow(root / "images" / split), FilesBelow(root / "labels" / split)
    names = f"/{split}" if split else ""
    layout = f"a directory with images{names} and labels{names}, and in them files of the same names."
    return Dataset(spec.name, pair_files(spec, images, labels, table, layout), classes=classes, spec=spec)
