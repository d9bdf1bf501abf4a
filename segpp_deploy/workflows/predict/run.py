"""Predict for an image, a directory of images, or a video, and write what was found."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from segpp_deploy.data.findings import collect_findings, note_all
from segpp_deploy.data.places import Place, Uri
from segpp_deploy.data.source_names import require_file_source
from segpp_deploy.data.video import is_video_file, is_video_name
from segpp_deploy.evaluation.failures import Failures
from segpp_deploy.evaluation.predictor import describe_shares
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.workflows.predict.opening import open_worker
from segpp_deploy.workflows.predict.options import PredictOptions
from segpp_deploy.workflows.predict.outputs import (
    PredictedFile,
    check_outputs,
    list_pictures,
    names_a_file,
    plan_all,
    plan_keypoints,
)
from segpp_deploy.workflows.predict.people import BoxSource, CocoResults, open_boxes
from segpp_deploy.workflows.predict.pictures import PictureJob, PictureReport
from segpp_deploy.workflows.predict.result import PredictResult
from segpp_deploy.workflows.predict.sidecars import sidecar_place
from segpp_deploy.workflows.predict.video import run_on_video


def run_predict(options: PredictOptions, progress: Progress = no_progress) -> PredictResult:
    """Predict for the source and write the results.

    Pictures of a directory that cannot be read are left out, and listed in the result; so are damaged frames.

    Raises:
        SegppError: the engine or the source cannot be used, or an output cannot be written; outputs finished before
            the error stay.
    """
    with collect_findings() as findings:
        run = run_on_video if _is_video(options.source) else _run_on_pictures
        result = run(options, progress)
        return replace(result, notes=(*result.notes, *findings.notes()))


def _is_video(source: Place) -> bool:
    """Tell whether the source is a video.

    Raises:
        SegppError: it is nothing that can be read.
    """
    if isinstance(source, Uri):
        return is_video_name(Path(source.name)) and source.suffix.lower() != ".gif"
    require_file_source(source)
    return is_video_file(source)


def _run_on_pictures(options: PredictOptions, progress: Progress) -> PredictResult:
    pictures = list_pictures(options.source)
    targets = plan_all(options, pictures)
    check_outputs(targets[0], is_video=False)
    keypoints = plan_keypoints(options)
    is_directory = pictures[0] != options.source
    report = PictureReport(Failures(allowed=None if is_directory and not options.fail_fast else 0))
    with open_worker(options) as worker:
        boxes = open_boxes(options.boxes, worker.task)
        start, jobs = time.perf_counter(), _make_jobs(options, targets, boxes)
        progress("Predicting", 0, len(jobs))
        for done in worker.run(jobs, report):
            progress("Predicting", done, len(jobs))
        seconds = time.perf_counter() - start
    note_all(report.findings)
    read, people = [job for job in jobs if str(job.target.source) not in report.failures.errors], CocoResults()
    if keypoints:
        for place, job in enumerate(read):
            source = job.target.source
            number = int(source.stem) if source.stem.isdecimal() else place
            people.add(number, source.name, job.boxes, report.people[job.number])
        people.write(keypoints)
    return PredictResult(
        outputs=tuple(job.target for job in read),
        images=report.images,
        seconds=seconds,
        keypoints=keypoints,
        notes=(*boxes.notes, *people.notes(), *describe_shares(worker.sizes, report.taken)),
        failures=report.failures,
        already_done=report.already_done,
    )


def _make_jobs(options: PredictOptions, targets: Sequence[PredictedFile], boxes: BoxSource) -> list[PictureJob]:
    folder = options.out.parent if names_a_file(options.out) else options.out
    return [
        PictureJob(
            number,
            target,
            sidecar_place(target.source, folder) if options.resume else None,
            boxes.of_picture(Path(str(target.source))),
        )
        for number, target in enumerate(targets)
    ]
