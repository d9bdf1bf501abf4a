"""The demo's report: a picture, one HTML page, the same as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from segpp_deploy import commands
from segpp_deploy.config import ClassTable, Preset
from segpp_deploy.data.datasets import Dataset
from segpp_deploy.data.images import ByteImage, write_image
from segpp_deploy.data.label_maps import LabelMap, ignored_label
from segpp_deploy.data.lettering import draw_text
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.files import write_text
from segpp_deploy.report.extra import import_report_library
from segpp_deploy.report.tables import to_markdown
from segpp_deploy.runtimes.registry import TARGETS
from segpp_deploy.tasks.segmentation.overlay import draw_errors, draw_overlay
from segpp_deploy.workflows.compare.page import render_comparison
from segpp_deploy.workflows.compare.result import CompareResult
from segpp_deploy.workflows.demo.result import DemoResult

PICTURE_CAPTION = (
    "A held-out scene. Left: the picture and what each mode sees in it. Right: the true labels, and in red the pixels "
    "that each mode gets wrong."
)
TABLE_CAPTION = (
    "The plain export is what torch.onnx.export makes of an ordinary SegFormer; PyTorch normalises its pictures and "
    "compares its logits. Attention pairs: 100 % are those of the unmerged model."
)
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
    machine, packages = result.environment, result.environment["packages"]
    infos = [TARGETS[target] for target in dict.fromkeys(row.candidate.target for row in result.rows)]
    runtimes = " and ".join(f"{info.runtime} {packages[info.module]}" for info in infos)
    return (
        f"Measured on {machine['cpu']} ({machine['cpu_cores']} cores) with {runtimes}, batch 1, {result.size} pixels, "
        f"picture in and label map out: mIoU on {result.images} held-out scenes, agreement with PyTorch on "
        f"{result.torch_images} of them, median latency of {result.iterations} calls that took turns, "
        f"segpp-deploy {machine['tool_version']}."
    )


def write_report(result: DemoResult, found: CompareResult, folder: Path) -> None:
    """Write report.html and report.md into `folder`, where overlay.jpg lies already.

    Args:
        result: what was measured.
        found: the comparison that it comes from.
        folder: the report's directory.
    """
    (table,) = result.tables()
    title, lead = f"{result.model} on this machine", describe_conditions(result)
    notes = (TABLE_CAPTION, *result.notes, *found.further)
    page = replace(found, command=commands.demo(folder), further=notes)
    write_text(result.html, render_comparison(page, title))
    write_text(
        folder / "report.md",
        f"# {title}\n\n{lead}\n\n{to_markdown(table)}\n\n{TABLE_CAPTION}\n\n![{PICTURE_CAPTION}](overlay.jpg)\n",
    )


def draw_modes(scenes: Dataset[LabelMap], engines: Mapping[Preset, Path], target: Path) -> None:
    """Draw one scene as the modes see it: a row for the truth, then one for each mode."""
    with Predictor.open(next(iter(engines.values()))) as predictor:
        classes = predictor.metadata.classes
    image, truth = _richest(scenes, len(classes))
    rows = [_row(image, draw_overlay(image, truth, classes), "picture", "true labels")]
    for mode, engine in engines.items():
        with Predictor.open(engine) as predictor:
            labels = predictor.predict([image])[0].labels
        rows.append(_mode_row(image, labels, truth, classes, mode))
    gap = np.full((_GAP_PX, rows[0].shape[1], 3), 255, np.uint8)
    write_image(target, np.concatenate([part for row in rows for part in (row, gap)][:-1]))


def _richest(dataset: Dataset[LabelMap], num_classes: int) -> tuple[ByteImage, LabelMap]:
    """Return the sample that shows the most classes, the first of equals."""
    examples = (sample.load(num_classes) for sample in dataset.first(8))
    richest = max(examples, key=lambda example: len(np.unique(np.asarray(example.target))))
    assert richest.target is not None
    return richest.image, richest.target


def _mode_row(image: ByteImage, labels: LabelMap, truth: LabelMap, classes: ClassTable, mode: Preset) -> ByteImage:
    wrong = (labels != truth) & (truth != ignored_label(truth))
    errors = draw_errors(image, labels, truth)
    overlay = draw_overlay(image, labels, classes, legend=False)
    return _row(overlay, errors, str(mode), f"{mode}: {100 * wrong.mean():.1f} % of the pixels wrong")


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
