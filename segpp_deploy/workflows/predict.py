"""Predict for an image, a directory of images, or a video, and write what was found."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segpp_deploy.config import Size
from segpp_deploy.data.images import (
    ByteImage,
    is_image_name,
    list_images,
    read_image,
    require_image_name,
    require_labels_name,
    write_image,
    write_labels,
)
from segpp_deploy.data.video import (
    VideoWriter,
    is_video_name,
    open_video_writer,
    probe_video,
    read_frames,
    require_video_name,
)
from segpp_deploy.errors import SegppError
from segpp_deploy.evaluation.predictor import Predictor, chunks
from segpp_deploy.files import require_writable
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.report.tables import Table


@dataclass(frozen=True)
class PredictOptions:
    """What to look at and what to write.

    Args:
        engine: the engine file.
        source: an image, a directory of images, or a video.
        out: a directory; or a file, where exactly one is to be written.
        overlay: write what was found drawn over the picture (a video for a video).
        labels_png: write each pixel's class index as PNG (a directory of them for a video).
    """

    engine: Path
    source: Path
    out: Path
    overlay: bool = True
    labels_png: bool = False


@dataclass(frozen=True)
class PredictedFile:
    """What was written for one image or video; None where it was not asked for."""

    source: Path
    overlay: Path | None
    labels: Path | None


@dataclass(frozen=True)
class PredictResult:
    """All that was written; `seconds` covers reading, predicting and writing."""

    outputs: tuple[PredictedFile, ...]
    images: int
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def throughput_ips(self) -> float:
        """Images (or frames) a second, files and drawing included."""
        return self.images / self.seconds if self.seconds else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of `predict --json`."""
        return {
            "outputs": [vars(written) for written in self.outputs],
            "images": self.images,
            "seconds": self.seconds,
            "throughput_ips": self.throughput_ips,
        }

    def tables(self) -> tuple[Table, ...]:
        """Return none: files were written."""
        return ()

    def summary(self) -> str:
        """Return one line a file, and one on the speed."""
        lines = [str(path) for written in self.outputs for path in (written.overlay, written.labels) if path]
        speed = f"{self.images} images in {self.seconds:.1f} s ({self.throughput_ips:.2f} a second, files included)"
        return "\n".join([*lines, speed])


def run_predict(options: PredictOptions, progress: Progress = no_progress) -> PredictResult:
    """Predict for the source and write the results.

    Raises:
        SegppError: the engine or the source cannot be used, or an output cannot be written; outputs finished before
            the error stay.
    """
    source = options.source
    is_video = source.is_file() and is_video_name(source)
    pictures = [] if is_video else list_images(source)
    targets = [_plan_outputs(options, source, is_video)] if is_video else _plan_all(options, pictures)
    _check_outputs(targets[0], is_video)
    with Predictor.open(options.engine) as predictor:
        if options.labels_png:
            predictor.task.require_label_maps()
        start = time.perf_counter()
        if is_video:
            images = _predict_video(predictor, targets[0], progress)
        else:
            images = _predict_pictures(predictor, targets, progress)
        seconds = time.perf_counter() - start
        return PredictResult(tuple(targets), images, seconds, predictor.task.assumptions)


def _plan_all(options: PredictOptions, pictures: list[Path]) -> list[PredictedFile]:
    targets = [_plan_outputs(options, picture, is_video=False) for picture in pictures]
    written: dict[Path, Path] = {}
    for target in targets:
        for path in (target.overlay, target.labels):
            if path is not None and written.setdefault(path, target.source) != target.source:
                raise SegppError(
                    f"{target.source} and {written[path]} would both be written to {path}.",
                    "pictures whose names differ by more than the suffix.",
                    "Rename one, or predict them into different directories.",
                )
    return targets


def _plan_outputs(options: PredictOptions, source: Path, is_video: bool) -> PredictedFile:
    """Say where the results of one picture or video go."""
    folder = options.out
    picture_suffix = ".png" if source.suffix.lower() == ".png" else ".jpg"
    overlay = folder / f"{source.stem}_overlay{'.mp4' if is_video else picture_suffix}"
    labels = folder / f"{source.stem}_labels{'' if is_video else '.png'}"
    if _names_a_file(options.out) and not options.out.is_dir():
        if options.source.is_dir() or options.overlay == options.labels_png or (is_video and options.labels_png):
            raise SegppError(
                f"{options.out} is one file, but several are to be written.",
                "a directory.",
                f"Name a directory, such as {options.out.with_suffix('')}",
            )
        overlay = labels = options.out
    if source.resolve() in (overlay.resolve(), labels.resolve()):
        raise SegppError(
            f"The output would replace the input {source}.", "another place.", "Name another directory for the results."
        )
    return PredictedFile(source, overlay if options.overlay else None, labels if options.labels_png else None)


def _names_a_file(out: Path) -> bool:
    """Tell by the suffix; what follows the dot of run_0.5 or model_v1.2b is none."""
    return is_image_name(out) or is_video_name(out) or out.suffix[1:].isalpha()


def _check_outputs(target: PredictedFile, is_video: bool) -> None:
    """Find out before the engine is loaded what would go wrong when the first file is written."""
    labels = target.labels / "frame.png" if target.labels and is_video else target.labels
    if target.overlay:
        (require_video_name if is_video else require_image_name)(target.overlay)
    if labels:
        require_labels_name(labels)
    for path in (target.overlay, labels):
        if path:
            require_writable(path)


def _predict_pictures(predictor: Predictor[Any], targets: list[PredictedFile], progress: Progress) -> int:
    task, classes, done = predictor.task, predictor.metadata.classes, 0
    progress("Predicting", 0, len(targets))
    for chunk in chunks(targets, predictor.batch):
        images = [read_image(target.source) for target in chunk]
        for target, image, found in zip(chunk, images, predictor.predict(images), strict=True):
            if target.overlay:
                write_image(target.overlay, task.draw(image, found, classes))
            if target.labels:
                write_labels(target.labels, task.label_map(found), classes)
        done += len(chunk)
        progress("Predicting", done, len(targets))
    return done


def _predict_video(predictor: Predictor[Any], target: PredictedFile, progress: Progress) -> int:
    info = probe_video(target.source)
    task, classes, done = predictor.task, predictor.metadata.classes, 0
    with ExitStack() as opened:
        writer: VideoWriter | None = None
        for image, found in _predict_frames(predictor, target.source):
            if target.overlay and writer is None:
                height, width = image.shape[:2]  # the container's figures may be wrong, or before rotation
                writer = opened.enter_context(open_video_writer(target.overlay, info.fps, Size(height, width)))
            done += 1
            if writer is not None:
                writer.write(task.draw(image, found, classes))
            if target.labels:
                write_labels(target.labels / f"{done:06d}.png", task.label_map(found), classes)
            progress("Predicting frames", done, max(done, info.frame_count or 0))
    return done


def _predict_frames(predictor: Predictor[Any], video: Path) -> Iterator[tuple[ByteImage, Any]]:
    """Yield each frame with its prediction; as many frames in memory as the session takes at once."""
    for frames in chunks(read_frames(video), predictor.batch):
        yield from zip(frames, predictor.predict(frames), strict=True)
