"""A video through a predictor, frame by frame, and what was found drawn into another one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from segpp_deploy import commands
from segpp_deploy.config import Size
from segpp_deploy.data.images import write_labels
from segpp_deploy.data.places import Place, Uri
from segpp_deploy.data.video import FrameCount, VideoFrame, VideoInfo
from segpp_deploy.data.video_reader import open_video
from segpp_deploy.data.video_writer import VideoWriter, open_video_writer
from segpp_deploy.errors import SegppError
from segpp_deploy.evaluation.overlap import Behind
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.progress import Progress
from segpp_deploy.workflows.predict.opening import open_predictor
from segpp_deploy.workflows.predict.options import PredictOptions
from segpp_deploy.workflows.predict.outputs import check_outputs, plan_keypoints, plan_outputs
from segpp_deploy.workflows.predict.people import Boxes, BoxSource, CocoResults, draw_people, open_boxes
from segpp_deploy.workflows.predict.result import PredictResult
from segpp_deploy.workflows.predict.shots import Shot, predict_shots


@dataclass(frozen=True)
class _Files:
    """Where a video is, and where its results go; None where they are not asked for."""

    source: Path
    overlay: Path | None
    labels: Path | None


def run_on_video(options: PredictOptions, progress: Progress) -> PredictResult:
    """Predict for a video; raises what `run_predict` raises."""
    if options.ray or options.resume:
        raise _one_process(options.source)
    target = plan_outputs(options, options.source, is_video=True)
    files = _Files(
        source=_path(target.source),
        overlay=None if target.overlay is None else _path(target.overlay),
        labels=None if target.labels is None else _path(target.labels),
    )
    check_outputs(target, is_video=True)
    keypoints = plan_keypoints(options)
    with open_predictor(options) as predictor:
        boxes = open_boxes(options.boxes, predictor.task)
        start, people = time.perf_counter(), CocoResults()
        frames = _predict_video(predictor, files, boxes, people if keypoints else None, progress)
        seconds = time.perf_counter() - start
    if keypoints:
        people.write(keypoints)
    notes = (*boxes.notes, *people.notes(), *predictor.notes(), *_warnings(files.source, frames))
    return PredictResult((target,), frames.read, seconds, keypoints, notes, frames=frames)


def _path(place: Place) -> Path:
    if isinstance(place, Uri):
        raise _one_process(place)
    return place


def _one_process(video: Place) -> SegppError:
    return SegppError(
        f"{video} is a video, and those are looked at frame by frame, in one process.",
        "a video and a directory of this machine, looked at from the video's beginning.",
        "Leave " + commands.option("ray") + " and " + commands.option("resume") + " out, and name paths.",
    )


def _warnings(video: Path, frames: FrameCount) -> Iterator[str]:
    if not frames.is_whole:
        follow_up = " Frames after a damaged one may show faults." if frames.damaged or frames.repaired else ""
        yield f"Warning: {video}: {frames.describe()}.{follow_up}"
    if frames.resized:
        yield f"Warning: {video}: {frames.resized} frames have another size than the first; they were scaled to it."


def _predict_video(
    predictor: Predictor[Any],
    files: _Files,
    boxes: BoxSource,
    people: CocoResults | None,
    progress: Progress,
) -> FrameCount:
    task, metadata = predictor.task, predictor.metadata
    with ExitStack() as opened, Behind() as behind:
        video = opened.enter_context(open_video(files.source))
        writer: VideoWriter | None = None

        def write(frame: VideoFrame, chosen: Boxes, found: list[Any]) -> None:
            nonlocal writer
            if files.overlay and writer is None:
                writer = opened.enter_context(_open_writer(files.overlay, video.info, frame))
            if writer is not None:
                writer.write(draw_people(task, frame.rgb, found, metadata), frame.time_s, frame.duration_s)
            if files.labels:
                write_labels(files.labels / f"{frame.number:06d}.png", task.label_map(found[0]), metadata.classes)
            if people is not None:
                people.add(frame.number, files.source.name, chosen, list(map(task.coco_result, found)))

        def shots() -> Iterator[Shot]:
            for frame in video:
                chosen = boxes.of_frame(frame.number)
                yield Shot(frame.rgb, chosen, partial(write, frame, chosen))

        for done in predict_shots(predictor, shots(), behind):
            progress("Predicting frames", done, max(done, video.info.frame_count or 0))
    return video.count


def _open_writer(path: Path, info: VideoInfo, first: VideoFrame) -> AbstractContextManager[VideoWriter]:
    size = Size(*first.rgb.shape[:2])  # the container's may be wrong, or before rotation
    is_turned = size.hw == info.size.hw[::-1] != info.size.hw
    aspect = 1 / info.pixel_aspect if is_turned else info.pixel_aspect
    return open_video_writer(path, info.fps, size, info.time_base, aspect)
