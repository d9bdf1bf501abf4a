"""Predict for an image, a directory of images, or a video, and write what was found."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from segpp_deploy.config import Size
from segpp_deploy.data.findings import collect_findings
from segpp_deploy.data.images import (
    ByteImage,
    list_images,
    read_image,
    require_image_name,
    require_labels_name,
    write_image,
    write_labels,
)
from segpp_deploy.data.source_names import require_file_source
from segpp_deploy.data.video import FrameCount, VideoFrame, is_video_file, is_video_name
from segpp_deploy.data.video_reader import open_video
from segpp_deploy.data.video_writer import VideoWriter, open_video_writer, require_video_name
from segpp_deploy.errors import CheckFailedError, SegppError, UnreadableFileError
from segpp_deploy.evaluation.failures import Failures
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
        fail_fast: end at the first picture of a directory that cannot be read; else the others are looked at.
    """

    engine: Path
    source: Path
    out: Path
    overlay: bool = True
    labels_png: bool = False
    fail_fast: bool = False


@dataclass(frozen=True)
class PredictedFile:
    """What was written for one image or video; None where it was not asked for."""

    source: Path
    overlay: Path | None
    labels: Path | None


@dataclass(frozen=True)
class PredictResult:
    """All that was written; `seconds` covers reading, predicting and writing.

    Args:
        outputs: by picture or video.
        images: pictures or frames that were predicted.
        seconds: for all of them.
        notes: what the user should know besides.
        failures: pictures that could not be read.
        frames: what could be read of a video; None for pictures.
    """

    outputs: tuple[PredictedFile, ...]
    images: int
    seconds: float
    notes: tuple[str, ...] = ()
    failures: Failures = field(default_factory=Failures)
    frames: FrameCount | None = None

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
            "failures": self.failures.to_list(),
            "frames": None if self.frames is None else asdict(self.frames) | {"expected": self.frames.expected},
            "notes": list(self.notes),
        }

    def tables(self) -> tuple[Table, ...]:
        """Return none: files were written."""
        return ()

    def summary(self) -> str:
        """Return one line a file, and one on the speed."""
        lines = [str(path) for written in self.outputs for path in (written.overlay, written.labels) if path]
        is_damaged = self.frames is not None and not self.frames.is_whole
        read = self.frames.describe() if self.frames is not None and is_damaged else f"{self.images} images"
        speed = f"{read} in {self.seconds:.1f} s ({self.throughput_ips:.2f} a second, files included)"
        return "\n".join([*lines, speed])

    def require_complete(self, strict: bool = False) -> None:
        """Check that nothing was left out.

        Args:
            strict: whether a video must be whole, too.

        Raises:
            SegppError: pictures could not be read.
            CheckFailedError: frames could not be read.
        """
        self.failures.raise_any(total=self.images + len(self.failures))
        if strict and self.frames is not None and not self.frames.is_whole:
            raise CheckFailedError(
                f"{self.outputs[0].source} is damaged: {self.frames.describe()}.",
                "every frame, as it was recorded.",
                "Copy the video again.",
            )


def run_predict(options: PredictOptions, progress: Progress = no_progress) -> PredictResult:
    """Predict for the source and write the results.

    Pictures of a directory that cannot be read are left out, and listed in the result; so are damaged frames.

    Raises:
        SegppError: the engine or the source cannot be used, or an output cannot be written; outputs finished before
            the error stay.
    """
    require_file_source(options.source)
    with collect_findings() as findings:
        if is_video_file(options.source):
            result = _run_on_video(options, progress)
        else:
            result = _run_on_pictures(options, progress)
        return replace(result, notes=(*result.notes, *findings.notes()))


def _run_on_pictures(options: PredictOptions, progress: Progress) -> PredictResult:
    targets = _plan_all(options, list_images(options.source))
    _check_outputs(targets[0], is_video=False)
    failures = Failures(allowed=None if options.source.is_dir() and not options.fail_fast else 0)
    with _open_predictor(options) as predictor:
        start = time.perf_counter()
        written = _predict_pictures(predictor, targets, failures, progress)
        seconds = time.perf_counter() - start
        return PredictResult(written, len(written), seconds, predictor.task.assumptions, failures)


def _run_on_video(options: PredictOptions, progress: Progress) -> PredictResult:
    target = _plan_outputs(options, options.source, is_video=True)
    _check_outputs(target, is_video=True)
    with _open_predictor(options) as predictor:
        start = time.perf_counter()
        frames = _predict_video(predictor, target, progress)
        seconds = time.perf_counter() - start
        notes = (*predictor.task.assumptions, *_warnings(target.source, frames))
        return PredictResult((target,), frames.read, seconds, notes, frames=frames)


def _warnings(video: Path, frames: FrameCount) -> Iterator[str]:
    if not frames.is_whole:
        follow_up = " Frames after a damaged one may show faults." if frames.damaged or frames.repaired else ""
        yield f"Warning: {video}: {frames.describe()}.{follow_up}"
    if frames.resized:
        yield f"Warning: {video}: {frames.resized} frames have another size than the first; they were scaled to it."


def _open_predictor(options: PredictOptions) -> Predictor[Any]:
    predictor = Predictor.open(options.engine)
    if options.labels_png:
        try:
            predictor.task.require_label_maps()
        except SegppError:
            predictor.close()
            raise
    return predictor


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
    return is_video_name(out) or out.suffix[1:].isalpha()


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


def _predict_pictures(
    predictor: Predictor[Any], targets: list[PredictedFile], failures: Failures, progress: Progress
) -> tuple[PredictedFile, ...]:
    task, classes, written = predictor.task, predictor.metadata.classes, list[PredictedFile]()
    progress("Predicting", 0, len(targets))
    for chunk in chunks(_read_pictures(targets, failures), predictor.batch):
        predictions = predictor.predict([image for _, image in chunk])
        for (target, image), found in zip(chunk, predictions, strict=True):
            if target.overlay:
                write_image(target.overlay, task.draw(image, found, classes))
            if target.labels:
                write_labels(target.labels, task.label_map(found), classes)
            written.append(target)
        progress("Predicting", len(written) + len(failures), len(targets))
    return tuple(written)


def _read_pictures(targets: Iterable[PredictedFile], failures: Failures) -> Iterator[tuple[PredictedFile, ByteImage]]:
    for target in targets:
        try:
            yield target, read_image(target.source)
        except UnreadableFileError as error:
            failures.add(str(target.source), error)


def _predict_video(predictor: Predictor[Any], target: PredictedFile, progress: Progress) -> FrameCount:
    task, classes = predictor.task, predictor.metadata.classes
    with ExitStack() as opened:
        video = opened.enter_context(open_video(target.source))
        info = video.info
        writer: VideoWriter | None = None
        for frame, found in _predict_frames(predictor, video):
            if target.overlay and writer is None:
                size = Size(*frame.rgb.shape[:2])  # the container's may be wrong, or before rotation
                is_turned = size.hw == info.size.hw[::-1] != info.size.hw
                aspect = 1 / info.pixel_aspect if is_turned else info.pixel_aspect
                writer = opened.enter_context(open_video_writer(target.overlay, info.fps, size, info.time_base, aspect))
            if writer is not None:
                writer.write(task.draw(frame.rgb, found, classes), frame.time_s, frame.duration_s)
            if target.labels:
                write_labels(target.labels / f"{frame.number:06d}.png", task.label_map(found), classes)
            progress("Predicting frames", video.count.read, max(video.count.read, info.frame_count or 0))
        return video.count


def _predict_frames(predictor: Predictor[Any], video: Iterable[VideoFrame]) -> Iterator[tuple[VideoFrame, Any]]:
    """Yield each frame with its prediction; as many frames in memory as the session takes at once."""
    for frames in chunks(video, predictor.batch):
        yield from zip(frames, predictor.predict([frame.rgb for frame in frames]), strict=True)
