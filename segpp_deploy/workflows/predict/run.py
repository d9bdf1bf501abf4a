"""Predict for an image, a directory of images, or a video, and write what was found."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from segpp_deploy.config import Size
from segpp_deploy.data.findings import collect_findings
from segpp_deploy.data.images import ByteImage, list_images, read_image, write_image, write_labels
from segpp_deploy.data.source_names import require_file_source
from segpp_deploy.data.video import FrameCount, VideoFrame, VideoInfo, is_video_file
from segpp_deploy.data.video_reader import open_video
from segpp_deploy.data.video_writer import VideoWriter, open_video_writer
from segpp_deploy.errors import SegppError, UnreadableFileError
from segpp_deploy.evaluation.failures import Failures
from segpp_deploy.evaluation.overlap import Behind
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.files import write_text
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.tasks.protocol.task import AnyTask
from segpp_deploy.workflows.predict.options import PredictOptions
from segpp_deploy.workflows.predict.outputs import (
    PredictedFile,
    check_outputs,
    plan_all,
    plan_keypoints,
    plan_outputs,
)
from segpp_deploy.workflows.predict.people import BoxSource, CocoResults, draw_people, open_boxes
from segpp_deploy.workflows.predict.result import PredictResult
from segpp_deploy.workflows.predict.shots import Shot, predict_shots


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
    targets = plan_all(options, list_images(options.source))
    check_outputs(targets[0], is_video=False)
    keypoints = plan_keypoints(options)
    failures = Failures(allowed=None if options.source.is_dir() and not options.fail_fast else 0)
    with _open_predictor(options) as predictor:
        boxes = open_boxes(options.boxes, predictor.task)
        start, people = time.perf_counter(), CocoResults()
        written = _predict_pictures(predictor, targets, boxes, people if keypoints else None, failures, progress)
        seconds = time.perf_counter() - start
    _write_results(keypoints, people)
    notes = (*boxes.notes, *people.notes(), *predictor.notes())
    return PredictResult(written, len(written), seconds, keypoints, notes, failures)


def _run_on_video(options: PredictOptions, progress: Progress) -> PredictResult:
    target = plan_outputs(options, options.source, is_video=True)
    check_outputs(target, is_video=True)
    keypoints = plan_keypoints(options)
    with _open_predictor(options) as predictor:
        boxes = open_boxes(options.boxes, predictor.task)
        start, people = time.perf_counter(), CocoResults()
        frames = _predict_video(predictor, target, boxes, people if keypoints else None, progress)
        seconds = time.perf_counter() - start
    _write_results(keypoints, people)
    notes = (*boxes.notes, *people.notes(), *predictor.notes(), *_warnings(target.source, frames))
    return PredictResult((target,), frames.read, seconds, keypoints, notes, frames=frames)


def _write_results(path: Path | None, people: CocoResults) -> None:
    if path is not None:
        write_text(path, json.dumps(people.entries) + "\n")


def _warnings(video: Path, frames: FrameCount) -> Iterator[str]:
    if not frames.is_whole:
        follow_up = " Frames after a damaged one may show faults." if frames.damaged or frames.repaired else ""
        yield f"Warning: {video}: {frames.describe()}.{follow_up}"
    if frames.resized:
        yield f"Warning: {video}: {frames.resized} frames have another size than the first; they were scaled to it."


def _open_predictor(options: PredictOptions) -> Predictor[Any]:
    predictor = Predictor.open(options.engine, options.inference, also=options.also)
    try:
        if options.labels_png:
            predictor.task.require_label_maps("labels-png")
        if options.keypoints or options.boxes:
            predictor.task.require_keypoints("keypoints" if options.keypoints else "boxes")
    except SegppError:
        predictor.close()
        raise
    return predictor


def _predict_pictures(
    predictor: Predictor[Any],
    targets: list[PredictedFile],
    boxes: BoxSource,
    people: CocoResults | None,
    failures: Failures,
    progress: Progress,
) -> tuple[PredictedFile, ...]:
    task, metadata = predictor.task, predictor.metadata
    read: list[PredictedFile] = []

    def shots() -> Iterator[Shot]:
        for target in targets:
            try:
                image = read_image(target.source)
            except UnreadableFileError as error:
                failures.add(str(target.source), error)
                continue
            number = int(target.source.stem) if target.source.stem.isdecimal() else len(read)
            read.append(target)
            write = partial(_write_picture, task, metadata, target, image)
            yield Shot(image, boxes.of_picture(target.source), number, target.source.name, write)

    progress("Predicting", 0, len(targets))
    with Behind() as behind:
        for done in predict_shots(predictor, shots(), people, behind):
            progress("Predicting", done + len(failures), len(targets))
    return tuple(read)


def _write_picture(
    task: AnyTask, metadata: ExportMetadata, target: PredictedFile, image: ByteImage, found: list[Any]
) -> None:
    if target.overlay:
        write_image(target.overlay, draw_people(task, image, found, metadata))
    if target.labels:
        write_labels(target.labels, task.label_map(found[0]), metadata.classes)


def _predict_video(
    predictor: Predictor[Any],
    target: PredictedFile,
    boxes: BoxSource,
    people: CocoResults | None,
    progress: Progress,
) -> FrameCount:
    task, metadata = predictor.task, predictor.metadata
    with ExitStack() as opened, Behind() as behind:
        video = opened.enter_context(open_video(target.source))
        writer: VideoWriter | None = None

        def write(frame: VideoFrame, found: list[Any]) -> None:
            nonlocal writer
            if target.overlay and writer is None:
                writer = opened.enter_context(_open_writer(target.overlay, video.info, frame))
            if writer is not None:
                writer.write(draw_people(task, frame.rgb, found, metadata), frame.time_s, frame.duration_s)
            if target.labels:
                write_labels(target.labels / f"{frame.number:06d}.png", task.label_map(found[0]), metadata.classes)

        def shots() -> Iterator[Shot]:
            for frame in video:
                chosen = boxes.of_frame(frame.number)
                yield Shot(frame.rgb, chosen, frame.number, target.source.name, partial(write, frame))

        for done in predict_shots(predictor, shots(), people, behind):
            progress("Predicting frames", done, max(done, video.info.frame_count or 0))
    return video.count


def _open_writer(path: Path, info: VideoInfo, first: VideoFrame) -> AbstractContextManager[VideoWriter]:
    size = Size(*first.rgb.shape[:2])  # the container's may be wrong, or before rotation
    is_turned = size.hw == info.size.hw[::-1] != info.size.hw
    aspect = 1 / info.pixel_aspect if is_turned else info.pixel_aspect
    return open_video_writer(path, info.fps, size, info.time_base, aspect)
