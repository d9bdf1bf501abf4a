"""`folder:PATH[#SPLIT]`: images/ and labels/ with files of the same name; label values are classes, 255 ignored.

With more than 255 classes, which need 16-bit labels, 65535 is ignored.
"""

from __future__ import annotations

from segpp_deploy.config import ClassTable
from segpp_deploy.data.datasets.base import Dataset, DatasetSpec, require_directory
from segpp_deploy.data.datasets.labels import LabelTable
from segpp_deploy.data.datasets.pairing import files_by_key, pair_samples
from segpp_deploy.data.label_maps import LabelMap


def open_folder(spec: DatasetSpec) -> Dataset[LabelMap]:
    """Open PATH/images and PATH/labels, or PATH/images/SPLIT and PATH/labels/SPLIT."""
    return open_image_and_label_folders(spec, spec.split)


def open_image_and_label_folders(
    spec: DatasetSpec, split: str | None, classes: ClassTable | None = None, table: LabelTable | None = None
) -> Dataset[LabelMap]:
    """Open images/[split] and labels/[split] with the given class names and label values.

    Raises:
        SegppError: a directory is missing, empty, or the two do not match.
    """
    root = spec.root()
    images, labels = (
        require_directory(root / part / split if split else root / part, spec.kind) for part in ("images", "labels")
    )
    samples = pair_samples(files_by_key(images), files_by_key(labels), images, table)
    name = f"{spec.kind}:{spec.path}" + (f"#{split}" if split else "")
    return Dataset(name, samples, classes=classes)
