"""Draws the pictures of a comparison: what each mode says of a few samples, and what it merges."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import ClassTable
from segpp_deploy.data.datasets import Example, Sample
from segpp_deploy.data.images import ByteImage
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.files import write_bytes
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.progress import Progress
from segpp_deploy.report.numbers import format_score
from segpp_deploy.tasks.protocol.evaluation import Score
from segpp_deploy.tasks.protocol.task import AnyTask
from segpp_deploy.workflows.compare.cells import Cell
from segpp_deploy.workflows.compare.engines import Engines
from segpp_deploy.workflows.compare.gallery import Gallery, Look, ShownSample, TokenPicture, View
from segpp_deploy.workflows.compare.inputs import Inputs

WORST = 3
LOOKED_AT = 200
"""The worst are looked for among so many samples at most, spread evenly."""

WIDTH_PX, TOKENS_WIDTH_PX = 640, 320
QUALITY = 80
_BORDER = 0.55  # brightness of the lines between merged tokens
_STEP = "Drawing pictures"


@dataclass(frozen=True)
class Shown:
    """A mode whose predictions are drawn: its row, and the row's key."""

    cell: Cell
    key: str


class Drawing:
    """Draws one model at one size.

    Args:
        engines: opens the rows' engines, which were made.
        inputs: the samples.
        folder: where the pictures go.
        progress: told about each mode.
    """

    def __init__(self, engines: Engines, inputs: Inputs, folder: Path, progress: Progress) -> None:
        self._engines = engines
        self._inputs = inputs
        self._folder = folder
        self._progress = progress

    def draw(self, modes: Mapping[str, Shown]) -> Gallery:
        """Draw the samples as the modes see them; differences are to the first mode."""
        reference, first = next(iter(modes.items()))
        with self._engines.open(first.cell, first.key) as predictor:
            task, metadata, classes = predictor.task, predictor.metadata, predictor.metadata.classes
            samples = self._choose(predictor)
        examples = [sample.load(len(classes)) for sample in samples]
        prefix = _slug(f"{first.cell.model}-{first.cell.candidate.size}")
        views: list[list[View]] = [
            list(self._draw_sample(f"{prefix}-{number}", example, task, metadata))
            for number, example in enumerate(examples)
        ]
        expected: list[Any] = []
        for done, (mode, shown) in enumerate(modes.items()):
            self._progress(_STEP, done, len(modes))
            with self._engines.open(shown.cell, shown.key) as predictor:
                found = [predictor.predict([one.image], [one.box])[0] for one in examples]
            expected = expected or found
            for number, (example, prediction, other) in enumerate(zip(examples, found, expected, strict=True)):
                drawn = {Look.PREDICTION: task.draw(example.image, prediction, metadata, legend=False)}
                if mode != reference:
                    target = task.as_target(other, example.box)
                    drawn[Look.DIFFERENCE] = task.draw_errors(example.image, prediction, target)
                if example.target is not None:
                    drawn[Look.ERRORS] = task.draw_errors(example.image, prediction, example.target)
                score = _score_of(example, prediction, task, classes)
                text = "" if score is None or not score.is_number else format_score(score)
                for look, picture in drawn.items():
                    name = f"{prefix}-{number}-{look}-{_slug(mode)}"
                    views[number].append(View(look, mode, self._write(name, picture, WIDTH_PX), text))
        targets = [
            task.as_target(prediction, example.box) if example.target is None else example.target
            for example, prediction in zip(examples, expected, strict=True)
        ]
        present = sorted(frozenset[int]().union(*map(task.classes_in, targets)))
        legend = tuple((classes.names[index], f"#{bytes(classes.palette[index]).hex()}") for index in present)
        tokens = [one for mode, shown in modes.items() for one in self._draw_tokens(mode, shown, examples[0], prefix)]
        self._progress(_STEP, len(modes), len(modes))
        candidate = first.cell.candidate
        shown_samples = tuple(ShownSample(one.name, tuple(own)) for one, own in zip(samples, views, strict=True))
        return Gallery(first.cell.model, str(candidate.size), reference, shown_samples, tuple(tokens), legend)

    def _choose(self, predictor: Predictor[Any]) -> list[Sample[Any]]:
        """Return the samples that the first mode does worst on; without labels, some that are spread evenly."""
        dataset = self._inputs.dataset
        if not self._inputs.has_targets:
            return list(dataset.spread(WORST))
        scored: list[tuple[float, int, Sample[Any]]] = []
        for number, sample in enumerate(dataset.spread(LOOKED_AT)):
            example = sample.load(len(predictor.metadata.classes))
            prediction = predictor.predict([example.image], [example.box])[0]
            score = _score_of(example, prediction, predictor.task, predictor.metadata.classes)
            if score is not None and score.is_number:
                scored.append((score.value if score.unit.higher_is_better else -score.value, number, sample))
        scored.sort(key=lambda one: one[:2])
        return [sample for _, _, sample in scored[:WORST]] or list(dataset.spread(WORST))

    def _draw_sample(
        self, prefix: str, example: Example[Any], task: AnyTask, metadata: ExportMetadata
    ) -> Iterator[View]:
        yield View(Look.PICTURE, "", self._write(f"{prefix}-{Look.PICTURE}", example.image, WIDTH_PX))
        if example.target is not None:
            truth = task.draw_target(example.image, example.target, metadata, legend=False)
            yield View(Look.TRUTH, "", self._write(f"{prefix}-{Look.TRUTH}", truth, WIDTH_PX))

    def _draw_tokens(self, mode: str, shown: Shown, example: Example[Any], prefix: str) -> Iterator[TokenPicture]:
        for one in self._engines.find_merges(shown.cell, example.image):
            rows = one.row_of_token.numpy()
            name = f"{prefix}-tokens-{_slug(mode)}-{one.stage}-{one.side}"
            file = self._write(name, draw_merges(example.image, rows), TOKENS_WIDTH_PX)
            yield TokenPicture(mode, one.stage, one.side, rows.size, one.num_rows, file)

    def _write(self, name: str, picture: ByteImage, width: int) -> str:
        file = f"{name}.webp"
        write_bytes(self._folder / file, encode_webp(picture, width, QUALITY))
        return file


def _score_of(example: Example[Any], prediction: Any, task: AnyTask, classes: ClassTable) -> Score | None:
    """Return the headline score of one sample; None where nobody says what is true of it."""
    if example.target is None:
        return None
    metric = task.metric(classes)
    metric.update(prediction, example.target)
    return metric.evaluate().headline


def draw_merges(image: ByteImage, row_of_token: NDArray[np.integer[Any]]) -> ByteImage:
    """Paint tokens that were one in attention in their mean colour, with a line between those that were not.

    Args:
        image: uint8 [H, W, 3], RGB.
        row_of_token: [h, w].

    Returns:
        uint8 [h * s, w * s, 3], s pixels for each token.
    """
    height, width = row_of_token.shape
    colours = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA).reshape(-1, 3)
    rows = row_of_token.ravel()
    counts = np.bincount(rows)
    means = np.stack([np.bincount(rows, channel) for channel in colours.T.astype(np.float64)], axis=1)
    painted = (means / np.maximum(counts, 1)[:, None])[row_of_token]
    scale = max(3, -(-TOKENS_WIDTH_PX // width))
    large = painted.repeat(scale, axis=0).repeat(scale, axis=1)
    differs_x = (row_of_token[:, 1:] != row_of_token[:, :-1]).repeat(scale, axis=0)
    differs_y = (row_of_token[1:] != row_of_token[:-1]).repeat(scale, axis=1)
    large[:, np.arange(1, width) * scale] *= np.where(differs_x, _BORDER, 1.0)[..., None]
    large[np.arange(1, height) * scale] *= np.where(differs_y, _BORDER, 1.0)[..., None]
    drawn: ByteImage = np.rint(large).astype(np.uint8)
    return drawn


def encode_webp(picture: ByteImage, width: int, quality: int) -> bytes:
    """Return a picture uint8 [H, W, 3] RGB as a WebP file's content, at most `width` pixels wide."""
    if picture.shape[1] > width:
        height = max(1, round(picture.shape[0] * width / picture.shape[1]))
        picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    encoded, data = cv2.imencode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, quality])
    assert encoded
    return data.tobytes()


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-")
