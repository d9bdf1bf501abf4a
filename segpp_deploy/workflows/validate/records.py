"""What `validate` writes of single samples: scores, confusions, label maps, and drawings of the worst."""

from __future__ import annotations

import csv
import heapq
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from segpp_deploy.data.datasets import AnyDataset, Example
from segpp_deploy.data.datasets.labels import stored_values
from segpp_deploy.data.images import write_image, write_labels
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.files import require_writable, write_text
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.progress import Progress
from segpp_deploy.tasks.protocol.task import AnyTask
from segpp_deploy.workflows.validate.options import RecordOptions
from segpp_deploy.workflows.validate.result import WorstSample

_DRAWING = "Drawing the worst samples"


def require_records(options: RecordOptions, task: AnyTask) -> None:
    """Check before the work that what is asked for can be had and written.

    Raises:
        SegppError: it cannot.
    """
    if options.labels is not None:
        task.require_label_maps("labels")
        require_writable(options.labels / "label.png")
    for path in (options.per_image, options.confusion):
        if path is not None:
            require_writable(path)


class SampleRecords:
    """Takes note of samples as they are judged; label maps are written at once, all else at the end.

    Args:
        options: what is to be written.
        predictor: whose predictions they are.
        reference: of the model that these are compared with; None where there is none.
        dataset: the samples.
    """

    def __init__(
        self, options: RecordOptions, predictor: Predictor[Any], reference: ExportMetadata | None, dataset: AnyDataset
    ) -> None:
        self._options = options
        self._predictor = predictor
        self._reference = reference
        self._dataset = dataset
        self._lines: list[str] = []
        self._scores: list[tuple[float, str]] = []
        classes = predictor.metadata.classes
        self._confusion = predictor.task.confusion(classes) if options.confusion else None
        self._stored = stored_values(dataset, len(classes)) if options.labels else None

    def take(self, example: Example[Any], prediction: Any, target: Any, other: Any) -> None:
        """Take note of a sample.

        Args:
            example: the sample.
            prediction: of the model that is judged.
            target: what is true.
            other: the reference's prediction; None where there is none.
        """
        task, metadata = self._predictor.task, self._predictor.metadata
        if self._options.per_image is not None:
            metric = task.metric(metadata.classes)
            metric.update(prediction, target)
            found = metric.evaluate()
            line = {"name": example.name, **{score.key: _number(score.value) for score in found.scores}}
            if self._reference is not None:
                agreement = task.agreement(self._reference, metadata)
                agreement.update(other, prediction)
                share = agreement.scores()[0]
                line[share.key] = _number(share.value)
            named = {name: value for name, value in found.per_class.values.items() if not math.isnan(value)}
            self._lines.append(json.dumps({**line, found.per_class.key: named}, ensure_ascii=False))
            if found.headline.is_number:
                self._scores.append((found.headline.value, example.name))
        if self._confusion is not None:
            self._confusion.update(prediction, target)
        if self._options.labels is not None and self._stored is not None:
            labels = task.label_map(prediction)
            write_labels(self._options.labels / f"{example.name}.png", self._stored[labels])

    def finish(self, progress: Progress) -> tuple[tuple[WorstSample, ...], tuple[Path, ...]]:
        """Write what is left; return the worst samples, and the files and directories written."""
        options, files = self._options, list[Path]()
        if options.per_image is not None:
            write_text(options.per_image, "".join(f"{line}\n" for line in self._lines))
            files.append(options.per_image)
        if options.confusion is not None and self._confusion is not None:
            write_text(options.confusion, self._confusion_csv(self._confusion.counts().tolist()))
            files.append(options.confusion)
        if options.labels is not None:
            files.append(options.labels)
        worst = self._draw_worst(progress)
        return worst, (*files, *sorted({sample.picture.parent for sample in worst}))

    def _confusion_csv(self, counts: list[list[int]]) -> str:
        """Rows are what is true, columns what was predicted."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        names = self._predictor.metadata.classes.distinct_names
        writer.writerow(["true \\ predicted", *names])
        writer.writerows([name, *row] for name, row in zip(names, counts, strict=True))
        return text.getvalue()

    def _draw_worst(self, progress: Progress) -> tuple[WorstSample, ...]:
        """Predict for the worst once more, which keeps memory flat, and draw what is wrong."""
        if self._options.per_image is None:
            return ()
        chosen = heapq.nsmallest(self._options.worst, self._scores)
        samples = {sample.name: sample for sample in self._dataset}
        folder = self._options.per_image.with_name(f"{self._options.per_image.stem}_worst")
        task, metadata, worst = self._predictor.task, self._predictor.metadata, list[WorstSample]()
        for rank, (score, name) in enumerate(chosen, start=1):
            example = samples[name].load(len(metadata.classes))
            (prediction,) = self._predictor.predict([example.image], [example.box])
            picture = folder / f"{rank:03d}_{name.replace('/', '_').replace('#', '_')}.jpg"
            shown = (
                task.draw(example.image, prediction, metadata),
                task.draw_target(example.image, example.target, metadata),
                task.draw_errors(example.image, prediction, example.target),
            )
            write_image(picture, np.concatenate(shown, axis=1))
            worst.append(WorstSample(name, score, picture))
            progress(_DRAWING, rank, len(chosen))
        return tuple(worst)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
