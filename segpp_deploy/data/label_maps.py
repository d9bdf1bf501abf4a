"""Label maps: a class for every pixel, in bytes where those suffice, and a value for pixels that do not count."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LabelMap = NDArray[np.unsignedinteger[Any]]
"""uint8 [H, W] for up to `MAX_BYTE_CLASSES` classes, uint16 [H, W] for more; the type's largest value is no class."""

MAX_BYTE_CLASSES = 255
MAX_CLASSES = 65535


def label_type(num_classes: int) -> type[np.uint8 | np.uint16]:
    """Return the type of label maps of so many classes.

    Example:
        >>> label_type(255).__name__, label_type(256).__name__
        ('uint8', 'uint16')
    """
    if num_classes > MAX_CLASSES:
        raise ValueError(f"{num_classes} classes do not fit into 16-bit labels (at most {MAX_CLASSES})")
    return np.uint8 if num_classes <= MAX_BYTE_CLASSES else np.uint16


def ignore_index(num_classes: int) -> int:
    """Return what says in a label map of so many classes that a pixel does not count.

    Example:
        >>> ignore_index(19), ignore_index(300)
        (255, 65535)
    """
    return int(np.iinfo(label_type(num_classes)).max)


def ignored_label(labels: LabelMap) -> int:
    """Return what says in this label map that a pixel does not count."""
    return int(np.iinfo(labels.dtype).max)
