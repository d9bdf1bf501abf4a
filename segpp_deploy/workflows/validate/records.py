"""What `validate` writes of single samples: scores, confusions, label maps, and drawings of the worst."""

from __future__ import annotations

import csv
import heapq
import io
import json
import math
from dataclasses import dataclass
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
from segpp_deploy.tasks.protocol.task import AnyTask, Confusion
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


@dataclass
class TakenRecords:
    """What is known of samples before it is written.

    Args:
        lines: of the file of scores, by the samples' names.
        scores: headline and name of each.
        confusion: of all; None where it is not asked for.
    """

    lines: dict[str, str]
    scores: list[tuple[float, str]]
    confusion: Confusion[Any, Any] | None

    def merge(self, other: TakenRecords) -> None:
        """Add what is known of other samples; for tasks that `require_parts` allows."""
        self.lines |= other.lines
        self.scores += other.scores
        if self.confusion is not None:
            counts: Any = self.confusion
            counts.merge(other.confusion)


class SampleRecords:
    """Takes note of samples as they are judged; label maps are written at once, all else at the end.

    Args:
        options: what is to be written.
        task: of the model whose predictions they are.
        metadata: of that model.
        reference: of the model that these are compared with; None where there is none.
        dataset: the samples.
    """

    def __init__(
        self,
        options: RecordOptions,
        task: AnyTask,
        metadata: ExportMetadata,
        reference: ExportMetadata | None,
        dataset: AnyDataset,
    ) -> None:
        self._options = options
        self._task = task
        self._metadata = metadata
        self._reference = reference
        self._dataset = dataset
        classes = metadata.classes
        self.taken = TakenRecords({}, [], task.confusion(classes) if options.confusion else None)
        self._stored = stored_values(dataset, len(classes)) if options.labels else None

    def take(self, example: Example[Any], prediction: Any, target: Any, other: Any) -> None:
        """Take note of a sample.

        Args:
            example: the sample.
            prediction: of the model that is judged.
            target: what is true.
            other: the reference's prediction; None where there is none.
        """
        task, metadata = self._task, self._metadata
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
            self.taken.lines[example.name] = json.dumps({**line, found.per_class.key: named}, ensure_ascii=False)
            if found.headline.is_number:
                self.taken.scores.append((found.headline.value, example.name))
        if self.taken.confusion is not None:
            self.taken.confusion.update(prediction, target)
        if self._options.labels is not None and self._stored is not None:
            labels = task.label_map(prediction)
            write_labels(self._options.labels / f"{example.name}.png", self._stored[labels])

    def finish(
        self, predictor: Predictor[Any] | None, progress: Progress
    ) -> tuple[tuple[WorstSample, ...], tuple[Path, ...]]:
        """Write what is left; return the worst samples, and the files and directories written.

        Args:
            predictor: looks at the worst samples once more; None where it is not here, and none are asked for.
            progress: told about each of them.
        """
        options, files = self._options, list[Path]()
        if options.per_image is not None:
            lines = (self.taken.lines.get(sample.name) for sample in self._dataset)
            write_text(options.per_image, "".join(f"{line}\n" for line in lines if line is not None))
            files.append(options.per_image)
        if options.confusion is not None and self.taken.confusion is not None:
            write_text(options.confusion, self._confusion_csv(self.taken.confusion.counts().tolist()))
            files.append(options.confusion)
        if options.labels is not None:
            files.append(options.labels)
        worst = () if predictor is None else self._draw_worst(predictor, progress)
        return worst, (*files, *sorted({sample.picture.parent for sample in worst}))

    def _confusion_csv(self, counts: list[list[int]]) -> str:
        """Rows are what is true, columns what was predicted."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        names = self._metadata.classes.distinct_names
        writer.writerow(["true \\ predicted", *names])
        writer.writerows([name, *row] for name, row in zip(names, counts, strict=True))
        return text.getvalue()

    def _draw_worst(self, predictor: Predictor[Any], progress: Progress) -> tuple[WorstSample, ...]:
        """Predict for the worst once more, which keeps memory flat, and draw what is wrong."""
        if self._options.per_image is None:
            return ()
        chosen = heapq.nsmallest(self._options.worst, self.taken.scores)
        samples = {sample.name: sample for sample in self._dataset}
        folder = self._options.per_image.with_name(f"{self._options.per_image.stem}_worst")
        task, metadata, worst = self._task, self._metadata, list[WorstSample]()
        for rank, (score, name) in enumerate(chosen, start=1):
            example = samples[name].load(len(metadata.classes))
            (prediction,) = predictor.predict([example.image], [example.box])
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
