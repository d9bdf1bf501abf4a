"""What can be asked of `validate`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from segpp_deploy import commands
from segpp_deploy.config import MAX_FAILURES, Choice, Inference, TorchDevice
from segpp_deploy.errors import SegppError

if TYPE_CHECKING:
    from segpp_deploy.data.datasets import AnyDataset


class Against(Choice):
    """What an engine is compared with, other than another engine."""

    TORCH = "torch"
    NONE = "none"


def parse_against(text: str) -> Against | Path:
    """Return the member called `text`, or the path of another engine.

    Example:
        >>> parse_against("torch")
        <Against.TORCH: 'torch'>
    """
    return Against(text) if text in list(Against) else Path(text)


@dataclass(frozen=True)
class RecordOptions:
    """Files about single samples; None or 0 where they are not wanted.

    Args:
        per_image: JSON lines, the scores of each sample.
        worst: so many samples with the lowest scores are drawn, beside that file.
        confusion: CSV, how often what is labelled as one class was predicted as another.
        labels: a directory of predicted label maps, in the values that the data set's label files have.

    Raises:
        SegppError: pictures of the worst without a file to put them beside.
    """

    per_image: Path | None = None
    worst: int = 0
    confusion: Path | None = None
    labels: Path | None = None

    def __post_init__(self) -> None:
        if self.worst < 0 or (self.worst and self.per_image is None):
            raise SegppError(
                f"--worst {self.worst} has no place for its pictures." if self.worst > 0 else "Nothing is that bad.",
                "a number of samples, and a file for their scores, beside which the pictures are put.",
                commands.option("per-image", "scores.jsonl") + " " + commands.option("worst", 20),
            )

    @property
    def is_empty(self) -> bool:
        """Whether nothing is written."""
        return self == NO_RECORDS


NO_RECORDS = RecordOptions()


@dataclass(frozen=True)
class ValidateOptions:
    """What to validate.

    Args:
        engine: the file to judge.
        data: KIND:PATH, or a data set.
        limit: use the first so many samples; None for all.
        inference: whole pictures or persons, windows (needs an engine that gives logits), or persons and their mirror
            images (needs heatmaps).
        against: the fp32 PyTorch model of the same mode, nothing, or another engine.
        checkpoint: the weights of the PyTorch model, where the engine's record of them no longer holds.
        max_failures: go on without pictures or labels that cannot be read until there are more of them.
        boxes: a file with a detector's boxes, for data sets of persons; None for the annotated ones.
        boundary_px: of segmentation, judge besides what lies so near to the edges of regions; 0: do not.
        records: what is written of each sample.
        also: engines of the same model for other input sizes.
        layers: compare every tensor with PyTorch's on so many samples; 0: do not.
        ray: the address of a Ray cluster that judges the samples; None: this process does.

    Raises:
        SegppError: a negative number of failures, pixels or samples; or a cluster is asked for what is looked at here.
        device: where the PyTorch model computes.

    Raises:
        SegppError: a negative number of failures, pixels or samples, or a device for no PyTorch model.
    """

    engine: Path
    data: str | AnyDataset
    limit: int | None = None
    inference: Inference = Inference.WHOLE
    against: Against | Path = Against.TORCH
    checkpoint: Path | None = None
    max_failures: int = MAX_FAILURES
    boxes: Path | None = None
    boundary_px: int = 0
    records: RecordOptions = NO_RECORDS
    also: tuple[Path, ...] = ()
    layers: int = 0
    ray: str | None = None
    device: TorchDevice = TorchDevice.CPU

    def __post_init__(self) -> None:
        if self.ray and (self.layers or self.records.worst):
            raise SegppError(
                (f"--layers {self.layers}" if self.layers else f"--worst {self.records.worst}")
                + " looks at a few samples with an engine that is here, not on a cluster.",
                "a run without a cluster.",
                "Leave " + commands.option("ray") + " out, and name fewer samples: " + commands.option("limit", 100),
            )
        if self.max_failures < 0:
            raise SegppError(
                f"--max-failures {self.max_failures} is no number of pictures.",
                "0 or more.",
                commands.option("max-failures", MAX_FAILURES),
            )
        if self.device is not TorchDevice.CPU and self.against is not Against.TORCH:
            raise SegppError(
                f"{commands.option('device', self.device)} is for the PyTorch model, and there is none.",
                commands.option("against", Against.TORCH) + ".",
                "Leave " + commands.option("device") + " out.",
            )
        if self.layers < 0:
            raise SegppError(
                f"--layers {self.layers} is no number of samples.", "1 or more.", commands.option("layers", 2)
            )
        if self.boundary_px < 0:
            raise SegppError(
                f"--boundary {self.boundary_px} is no distance.", "pixels.", commands.option("boundary", 5)
            )
