"""What can be asked of `export`; apart from the work itself, so that options are checked before PyTorch is loaded."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from segpp_deploy import commands
from segpp_deploy.config import (
    Arch,
    ChannelOrder,
    Fit,
    InputKind,
    Lowering,
    Normalization,
    OutputForm,
    OutputKind,
    Preset,
    Size,
    TaskName,
)
from segpp_deploy.errors import SegppError
from segpp_deploy.model.weights.source import (
    CHECKPOINT_SUFFIXES,
    CardSource,
    CheckpointSource,
    Expected,
    ModelSource,
    SeedSource,
)
from segpp_deploy.model.weights.training_record import NOTHING_SAID, TrainingRecord, Triple, require_threshold

if TYPE_CHECKING:
    from segpp_deploy.model.plan import MergePlan


@dataclass(frozen=True)
class ExportOptions:
    """What the user asked for; None means: take it from the card or the checkpoint, or the default.

    Args:
        output: the ONNX file to write.
        source: where the weights come from.
        mode: preset name, plan file, or a plan.
        size: input size in pixels.
        batch: images per call, None for a dynamic batch axis.
        input_kind: see `InputKind`.
        output_kind: see `OutputKind`.
        lowering: see `Lowering`.
        fit: see `Fit`.
        output_form: see `OutputForm`.
    """

    output: Path
    source: ModelSource
    mode: str | MergePlan = str(Preset.ORIGINAL)
    size: Size | None = None
    batch: int | None = 1
    input_kind: InputKind = InputKind.UINT8
    output_kind: OutputKind | None = None
    lowering: Lowering = Lowering.PORTABLE
    fit: Fit = Fit.RESIZE
    output_form: OutputForm = field(default_factory=OutputForm)


def parse_source(
    model: str | None,
    checkpoint: Path | None,
    seed: int | None,
    *,
    arch: Arch | None = None,
    task: TaskName | None = None,
    num_outputs: int | None = None,
    weights: str | None = None,
    stated: TrainingRecord = NOTHING_SAID,
) -> ModelSource:
    """Return the one source of weights that was named.

    Args:
        model: name or path of a model card.
        checkpoint: weights file or Hugging Face directory; replaces the card's.
        seed: of random weights.
        arch: what is expected of the weights, or what random weights are for.
        task: likewise.
        num_outputs: likewise; classes or keypoints.
        weights: which of a checkpoint's weights; see `choose_state_dict`.
        stated: what the user says of the training.

    Raises:
        SegppError: none is named, or several that exclude each other.
    """
    if seed is not None:
        if checkpoint or model:
            raise SegppError(
                "Random weights and a checkpoint or card exclude each other.",
                "one source of weights.",
                "Leave out " + commands.option("random-weights") + ", or the checkpoint.",
            )
        plain = SeedSource(seed)
        return SeedSource(seed, arch or plain.arch, task or plain.task, num_outputs or plain.num_outputs, stated)
    expected = Expected(arch, num_outputs, task)
    if model:
        return CardSource(model, checkpoint, expected, weights, stated)
    if checkpoint is None:
        raise SegppError(
            "No model was named.",
            "a model card, a checkpoint, or --random-weights.",
            commands.export("segformer_b0_scenes", "model.onnx") + ", or " + commands.option("checkpoint", "FILE"),
        )
    return CheckpointSource(checkpoint, expected, weights, stated)


def parse_model(model: str, weights: str | None, stated: TrainingRecord) -> ModelSource:
    """Return the source that one word names: a file or folder of weights, or a model card.

    Args:
        model: what was written.
        weights: which of a checkpoint's weights; see `choose_state_dict`.
        stated: what the user says of the training.

    Example:
        >>> parse_model("segformer_b0_scenes", None, TrainingRecord()).name
        'segformer_b0_scenes'
    """
    path = Path(model)
    if path.suffix in CHECKPOINT_SUFFIXES or path.is_dir():
        return CheckpointSource(path, weights=weights, stated=stated)
    return CardSource(model, weights=weights, stated=stated)


def parse_stated(
    mean: str | None = None,
    std: str | None = None,
    channel_order: ChannelOrder | None = None,
    classes: Path | None = None,
    threshold: float | None = None,
) -> TrainingRecord:
    """Return what the user says of the training.

    Args:
        mean: three numbers of red, green and blue in 0 .. 255, separated by commas.
        std: likewise.
        channel_order: in which the network takes its channels.
        classes: file with the names, see `read_class_file`.
        threshold: of the sigmoid of a segmentation model with one output.

    Raises:
        SegppError: no three numbers, no file of names, or no probability.
    """
    from segpp_deploy.model.weights.class_file import read_class_file  # loads yaml

    if threshold is not None:
        require_threshold(threshold, commands.option("threshold", threshold))
    named = read_class_file(classes) if classes is not None else NOTHING_SAID
    return replace(
        named,
        mean=_parse_rgb("mean", mean),
        std=_parse_rgb("std", std),
        channel_order=channel_order,
        threshold=threshold,
    )


def _parse_rgb(name: str, text: str | None) -> Triple | None:
    if text is None:
        return None
    try:
        red, green, blue = (float(part) for part in text.split(","))
        if not all(map(isfinite, (red, green, blue))):
            raise ValueError("not finite")
    except ValueError as error:
        example = ",".join(f"{value:g}" for value in getattr(Normalization, name))
        raise SegppError(
            f"{commands.option(name, text)} is not three numbers.",
            "the values of red, green and blue for grey levels from 0 to 255, separated by commas.",
            commands.option(name, example),
        ) from error
    return red, green, blue
