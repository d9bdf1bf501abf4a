"""What can be asked of `predict`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from segpp_deploy import commands
from segpp_deploy.config import Inference
from segpp_deploy.data.live_source import Drop, LiveSource
from segpp_deploy.data.places import Place
from segpp_deploy.errors import SegppError

OUT = Path("predictions")


@dataclass(frozen=True)
class PredictOptions:
    """What to look at and what to write.

    Args:
        engine: the engine file.
        source: an image, a directory of images, or a video; images may lie in a store.
        out: a directory; or a file, where exactly one is to be written.
        overlay: write what was found drawn over the picture (a video for a video).
        labels_png: write each pixel's class index as PNG (a directory of them for a video).
        keypoints: write what a pose model found as COCO's results.
        boxes: a file with the boxes of persons in the pictures or frames; None takes each for one person.
        inference: pictures or persons whole, windows of pictures, or persons and their mirror images.
        also: engines of the same model for other input sizes.
        fail_fast: end at the first picture of a directory that cannot be read; else the others are looked at.
        resume: note beside results what they are made of, and leave out pictures whose results are there.
        ray: the address of a Ray cluster that looks at the pictures; None: this process does.
    """

    engine: Path
    source: Place
    out: Place
    overlay: bool = True
    labels_png: bool = False
    keypoints: bool = False
    boxes: Path | None = None
    inference: Inference = Inference.WHOLE
    also: tuple[Path, ...] = ()
    fail_fast: bool = False
    resume: bool = False
    ray: str | None = None


@dataclass(frozen=True)
class LiveOptions:
    """How a camera or a stream is looked at.

    Args:
        engine: the engine file.
        source: the camera or stream.
        out: a video file, or a directory for one, that records the overlay; None: nothing is recorded.
        drop: which frames are left out where the source is faster than the engine.
        serve: [HOST]:PORT at which a browser sees the overlay; None: nowhere.
        show: the overlay in a window.
        seconds: end after so long; None: go on.
        frames: end after so many were looked at; None: go on.
        inference: pictures or persons whole, windows of pictures, or persons and their mirror images.
        also: engines of the same model for other input sizes.

    Raises:
        SegppError: nothing would be seen of it, or no time or no frame at all.
    """

    engine: Path
    source: LiveSource
    out: Path | None = None
    drop: Drop = Drop.LATEST
    serve: str | None = None
    show: bool = False
    seconds: float | None = None
    frames: int | None = None
    inference: Inference = Inference.WHOLE
    also: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        for name, value in (("seconds", self.seconds), ("frames", self.frames)):
            if value is not None and value <= 0:
                raise SegppError(
                    f"{commands.option(name, value)} sees nothing.", "more than 0.", commands.option(name, 60)
                )
        if self.out is None and self.serve is None and not self.show:
            raise SegppError(
                "Nothing would be seen of it.",
                "a place for what is found: a browser, a window or a file.",
                commands.option("serve", ":8080") + ", " + commands.option("show") + " or " + commands.out("seen.mp4"),
            )


def refuse_options_of_files(**asked: object) -> None:
    """Check that nothing is asked of a live source that is for files.

    Args:
        asked: values by the options' names, with underscores.

    Raises:
        SegppError: something is.
    """
    for name, value in asked.items():
        if value:
            raise SegppError(
                f"{commands.option(name.replace('_', '-'))} is for files; a live source goes on without an end.",
                "an overlay that is shown, served or recorded.",
                "Record the source first: " + commands.out("recorded.mp4"),
            )
