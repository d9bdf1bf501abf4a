"""The demo's report: a picture, one HTML page, the same as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from segpp_deploy import commands
from segpp_deploy.config import Preset
from segpp_deploy.data.datasets import AnyDataset, Example
from segpp_deploy.data.images import ByteImage, write_image
from segpp_deploy.data.lettering import draw_text
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.files import write_text
from segpp_deploy.report.extra import import_report_library
from segpp_deploy.report.numbers import format_score
from segpp_deploy.report.tables import to_markdown
from segpp_deploy.runtimes.registry import TARGETS
from segpp_deploy.tasks.protocol.task import AnyTask
from segpp_deploy.workflows.compare.options import PLAIN_BASELINE
from segpp_deploy.workflows.compare.page import render_comparison
from segpp_deploy.workflows.compare.result import CompareResult
from segpp_deploy.workflows.demo.options import SUBJECTS
from segpp_deploy.workflows.demo.result import DemoResult

PICTURE_CAPTION = (
    "A held-out picture. Left: the picture and what each mode sees in it. Right: what is true, and in red what each "
    "mode gets wrong."
)
PLAIN_CAPTION = (
    "The plain export is what torch.onnx.export makes of an ordinary SegFormer; PyTorch normalises its pictures and "
    "compares its logits. "
)
PAIRS_CAPTION = "Attention pairs: 100 % are those of the unmerged model."
_CELL_WIDTH_PX = 640
_CAPTION_PX = 30
_GAP_PX = 6


def require_report_libraries() -> None:
    """Check at the start what is needed at the end.

    Raises:
        SegppError: a library of the extra `report` is missing.
    """
    import_report_library("jinja2")


def describe_conditions(result: DemoResult) -> str:
    """Return one sentence that says what was measured on what."""
    machine, packages, subject = result.environment, result.environment["packages"], SUBJECTS[result.task]
    infos = [TARGETS[target] for target in dict.fromkeys(row.candidate.target for row in result.rows)]
    runtimes = " and ".join(f"{info.runtime} {packages[info.module]}" for info in infos)
    return (
        f"Measured on {machine['cpu']} ({machine['cpu_cores']} cores) with {runtimes}, batch 1, {result.size} pixels, "
        f"{subject.ends}: {result.rows[0].headline.name} on {result.images} {subject.counted}, agreement with PyTorch "
        f"on {result.torch_images} of them, median latency of {result.iterations} calls that took turns, "
        f"segpp-deploy {machine['tool_version']}."
    )


def table_caption(result: DemoResult) -> str:
    """Return what has to be known to read the table."""
    return (PLAIN_CAPTION if result.rows[0].candidate.mode == PLAIN_BASELINE else "") + PAIRS_CAPTION


def write_report(result: DemoResult, found: CompareResult, folder: Path) -> None:
    """Write report.html and report.md into `folder`, where overlay.jpg lies already.

    Args:
        result: what was measured.
        found: the comparison that it comes from.
        folder: the report's directory.
    """
    (table,) = result.tables()
    title, lead = f"{result.model} on this machine", describe_conditions(result)
    caption = table_caption(result)
    notes = (caption, *result.notes, *found.further)
    page = replace(found, command=commands.demo(folder), further=notes)
    write_text(result.html, render_comparison(page, title))
    write_text(
        folder / "report.md",
        f"# {title}\n\n{lead}\n\n{to_markdown(table)}\n\n{caption}\n\n![{PICTURE_CAPTION}](overlay.jpg)\n",
    )


def draw_modes(dataset: AnyDataset, engines: Mapping[Preset, Path], target: Path) -> None:
    """Draw one sample as the modes see it: a row for the truth, then one for each mode."""
    rows: list[ByteImage] = []
    for mode, engine in engines.items():
        with Predictor.open(engine) as predictor:
            task, metadata = predictor.task, predictor.metadata
            example = _richest(dataset, task, len(metadata.classes))
            image, truth = example.image, example.target
            (found,) = predictor.predict([image], [example.box])
        if not rows:
            rows.append(_row(image, task.draw_target(image, truth, metadata), "picture", "truth"))
        metric = task.metric(metadata.classes)
        metric.update(found, truth)
        score = metric.evaluate().headline
        drawn, wrong = task.draw(image, found, metadata, legend=False), task.draw_errors(image, found, truth)
        rows.append(_row(drawn, wrong, str(mode), f"{mode}: {score.name} {format_score(score)}"))
    gap = np.full((_GAP_PX, rows[0].shape[1], 3), 255, np.uint8)
    write_image(target, np.concatenate([part for row in rows for part in (row, gap)][:-1]))


def _richest(dataset: AnyDataset, task: AnyTask, num_outputs: int) -> Example[Any]:
    """Return the sample that shows the most classes or keypoints, the first of equals."""
    examples = (sample.load(num_outputs) for sample in dataset.first(8))
    return max(examples, key=lambda example: len(task.classes_in(example.target)))


def _row(left: ByteImage, right: ByteImage, left_caption: str, right_caption: str) -> ByteImage:
    cells = _cell(left, left_caption), _cell(right, right_caption)
    gap = np.full((cells[0].shape[0], _GAP_PX, 3), 255, np.uint8)
    return np.concatenate([cells[0], gap, cells[1]], axis=1)


def _cell(picture: ByteImage, caption: str) -> ByteImage:
    height = round(picture.shape[0] * _CELL_WIDTH_PX / picture.shape[1])
    small = cv2.resize(picture, (_CELL_WIDTH_PX, height), interpolation=cv2.INTER_AREA)
    strip = np.full((_CAPTION_PX, _CELL_WIDTH_PX, 3), 255, np.uint8)
    draw_text(strip, caption, (2, _CAPTION_PX - 10), 0.55, (51, 58, 69))
    return np.concatenate([strip, small])
