"""What can be asked of `predict`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from segpp_deploy.config import Inference


@dataclass(frozen=True)
class PredictOptions:
    """What to look at and what to write.

    Args:
        engine: the engine file.
        source: an image, a directory of images, or a video.
        out: a directory; or a file, where exactly one is to be written.
        overlay: write what was found drawn over the picture (a video for a video).
        labels_png: write each pixel's class index as PNG (a directory of them for a video).
        keypoints: write what a pose model found as COCO's results.
        boxes: a file with the boxes of persons in the pictures or frames; None takes each for one person.
        inference: pictures or persons whole, windows of pictures, or persons and their mirror images.
        also: engines of the same model for other input sizes.
        fail_fast: end at the first picture of a directory that cannot be read; else the others are looked at.
    """

    engine: Path
    source: Path
    out: Path
    overlay: bool = True
    labels_png: bool = False
    keypoints: bool = False
    boxes: Path | None = None
    inference: Inference = Inference.WHOLE
    also: tuple[Path, ...] = ()
    fail_fast: bool = False
