"""What an exported ONNX file says about itself, as `segpp.*` metadata properties; every later step reads it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from segpp_deploy import commands
from segpp_deploy.config import (
    Arch,
    ClassTable,
    Fit,
    InputKind,
    KeypointRelations,
    LabelsLayout,
    Lowering,
    Normalization,
    OutputForm,
    OutputKind,
    Precision,
    Size,
    TaskName,
    is_binary,
)
from segpp_deploy.errors import SegppError, one_line, quote
from segpp_deploy.model.arch import ARCH_SPECS
from segpp_deploy.model.plan import MergePlan, StageTokens
from segpp_deploy.model.plan_file import parse_plan, plan_to_dict
from segpp_deploy.model.training_facts import TrainingFacts

PREFIX = "segpp."

OUTPUT_STRIDES = (4, 8)
"""Image pixels per output pixel of logits or heatmaps, without downsampling of the input and with it."""


@dataclass(frozen=True)
class ExportMetadata:
    """The export's facts.

    Args:
        arch: backbone.
        task: segmentation or pose.
        plan: the merge plan; its name is the mode.
        tokens: token counts per stage.
        size: input size in pixels.
        batch: images per call; None for a dynamic batch axis.
        input_kind: layout and type of the input.
        output_kind: what the output is, and its type.
        lowering: portable or plugin.
        precision: number format of the heavy layers.
        classes: names and colours of classes or keypoints.
        normalization: mean and deviation the network was trained with.
        checkpoint: where the weights came from, as the user named it (path, or card name).
        checkpoint_sha256: hash of the weights file; empty for random weights.
        tool_version: version of segpp-deploy.
        seed: of random weights; None for a checkpoint.
        training: what else is kept of the training.
        threshold: above which the sigmoid of a model's one output meant foreground; None where every class has an
            output of its own.
        fit: how pictures of another aspect are to be shown to a segmentation model.
        output_form: name and layout of the output, and whether confidence is another.
    """

    arch: Arch
    task: TaskName
    plan: MergePlan
    tokens: tuple[StageTokens, ...]
    size: Size
    batch: int | None
    input_kind: InputKind
    output_kind: OutputKind
    lowering: Lowering
    precision: Precision
    classes: ClassTable
    normalization: Normalization
    checkpoint: str
    checkpoint_sha256: str
    tool_version: str
    seed: int | None = None
    training: TrainingFacts = field(default_factory=TrainingFacts)
    threshold: float | None = None
    fit: Fit = Fit.RESIZE
    output_form: OutputForm = field(default_factory=OutputForm)

    @property
    def mode(self) -> str:
        """Name of the merge plan."""
        return self.plan.name

    @property
    def output_stride(self) -> int:
        """Image pixels per output pixel of logits or heatmaps."""
        return OUTPUT_STRIDES[bool(self.plan.downsample)]

    @property
    def images_per_call(self) -> int:
        """Images that one call is given: the batch, or 1 where it is dynamic."""
        return self.batch or 1

    @property
    def trained_outputs(self) -> int:
        """Outputs of the model that was exported: one for each class or keypoint, or one where there is a threshold."""
        return len(self.classes) if self.threshold is None else 1

    @property
    def attention_pairs(self) -> int:
        """Query-key pairs over all layers of the encoder, for one picture."""
        layers = zip(ARCH_SPECS[self.arch].depths, self.tokens, strict=True)
        return sum(depth * stage.q_after * stage.kv_after for depth, stage in layers)

    def with_precision(self, precision: Precision) -> ExportMetadata:
        """Return a copy with another precision."""
        return replace(self, precision=precision)

    def with_keypoints(self, relations: KeypointRelations | None) -> ExportMetadata:
        """Return a copy that says of a pose model's keypoints what it did not say before."""
        if relations is None:
            return self
        known = (self.training.keypoints or KeypointRelations()).or_else(relations)
        return replace(self, training=replace(self.training, keypoints=known))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, as manifests and `inspect --json` show them.

        `seed`, `threshold`, `output_name` and `confidence` only where there is one, `fit` and `output_layout` only
        where another than the usual.
        """
        values: dict[str, Any] = {
            "arch": str(self.arch),
            "task": str(self.task),
            "mode": self.mode,
            "plan": plan_to_dict(self.plan),
            "tokens": [asdict(stage) for stage in self.tokens],
            "size": list(self.size.hw),
            "batch": self.batch,
            "input": str(self.input_kind),
            "output": str(self.output_kind),
            "lowering": str(self.lowering),
            "precision": str(self.precision),
            "classes": list(self.classes.names),
            "palette": [list(colour) for colour in self.classes.palette],
            "mean": list(self.normalization.mean),
            "std": list(self.normalization.std),
            "checkpoint": self.checkpoint,
            "checkpoint_sha256": self.checkpoint_sha256,
            "tool_version": self.tool_version,
            **self.training.to_dict(),
        }
        form = self.output_form
        optional = {
            "seed": self.seed,
            "threshold": self.threshold,
            "fit": None if self.fit is Fit.RESIZE else str(self.fit),
            "output_name": form.name,
            "output_layout": None if form.layout is LabelsLayout.NHW else str(form.layout),
            "confidence": form.confidence or None,
        }
        return values | {name: value for name, value in optional.items() if value is not None}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str) -> ExportMetadata:
        """Read what `to_dict` wrote.

        Raises:
            SegppError: a field is missing or cannot be read; `where` names the file.
        """
        try:
            metadata = cls(
                arch=Arch(values["arch"]),
                task=TaskName(values["task"]),
                plan=parse_plan(values["plan"], values["mode"], where),
                tokens=tuple(StageTokens(**{**stage, "grid": tuple(stage["grid"])}) for stage in values["tokens"]),
                size=Size(*map(int, values["size"])),
                batch=values["batch"],
                input_kind=InputKind(values["input"]),
                output_kind=OutputKind(values["output"]),
                lowering=Lowering(values["lowering"]),
                precision=Precision(values["precision"]),
                classes=ClassTable(tuple(values["classes"]), tuple(tuple(c) for c in values["palette"])),
                normalization=Normalization(tuple(values["mean"]), tuple(values["std"])),
                checkpoint=values["checkpoint"],
                checkpoint_sha256=values["checkpoint_sha256"],
                tool_version=values["tool_version"],
                seed=values.get("seed"),
                training=TrainingFacts.from_dict(values),
                threshold=values.get("threshold"),
                fit=Fit(values.get("fit", Fit.RESIZE)),
                output_form=OutputForm(
                    name=values.get("output_name"),
                    layout=LabelsLayout(values.get("output_layout", LabelsLayout.NHW)),
                    confidence=values.get("confidence", False),
                ),
            )
            _check_values(values)
            _check_threshold(metadata)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise SegppError(
                f"The metadata of {where} cannot be read: {type(error).__name__}: {one_line(error)}.",
                "the segpp.* properties that `export` writes.",
                commands.export(),
            ) from error
        return metadata

    def to_properties(self) -> dict[str, str]:
        """Return ONNX metadata properties: one `segpp.*` key per field, values as JSON."""
        return {PREFIX + key: json.dumps(value) for key, value in self.to_dict().items()}

    @classmethod
    def from_properties(cls, properties: Mapping[str, str], where: str) -> ExportMetadata:
        """Read the ONNX metadata properties of the file `where`.

        Raises:
            SegppError: the file was not written by `segpp-deploy export`, or was edited.
        """
        try:
            values = {
                key.removeprefix(PREFIX): json.loads(value)
                for key, value in properties.items()
                if key.startswith(PREFIX)
            }
        except (ValueError, RecursionError) as error:
            raise SegppError(
                f"The metadata of {where} is not JSON: {one_line(error)}.",
                "the segpp.* properties that `export` writes.",
                commands.export(),
            ) from error
        if not values:
            raise SegppError(
                f"{where} holds no segpp.* metadata.",
                "an ONNX file written by `export`.",
                commands.export(),
            )
        return cls.from_dict(values, where)


def _check_values(values: Mapping[str, Any]) -> None:
    """Check what the types above take as it comes: lengths, and what lists hold."""
    lengths = {"tokens": 4, "size": 2, "palette": len(values["classes"]), "mean": 3, "std": 3}
    for name, expected in lengths.items():
        if len(values[name]) != expected:
            raise ValueError(f"{name} has {len(values[name])} entries, not {expected}")
    right = {
        "batch": values["batch"] is None or (type(values["batch"]) is int and values["batch"] > 0),
        "tokens": all(map(_are_counts, values["tokens"])),
        "classes": all(isinstance(name, str) for name in values["classes"]),
        "palette": all(map(_is_colour, values["palette"])),
        "mean": all(map(_is_finite, values["mean"])),
        "std": all(_is_finite(value) and value > 0 for value in values["std"]),
        "checkpoint": isinstance(values["checkpoint"], str),
        "output_name": isinstance(values.get("output_name", ""), str),
        "confidence": isinstance(values.get("confidence", False), bool),
    }
    wrong = [name for name, holds in right.items() if not holds]
    if wrong:
        raise ValueError(f"{wrong[0]} is {quote(values[wrong[0]])}")


def _are_counts(stage: Mapping[str, Any]) -> bool:
    counts = (*stage["grid"], *(count for name, count in stage.items() if name != "grid"))
    return len(stage["grid"]) == 2 and all(type(count) is int for count in counts)


def _is_colour(channels: Any) -> bool:
    return len(channels) == 3 and all(type(channel) is int and 0 <= channel <= 255 for channel in channels)


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _check_threshold(metadata: ExportMetadata) -> None:
    """Refuse labels that are 0 everywhere, which is what earlier versions exported a head with one output to."""
    if is_binary(metadata.task, len(metadata.classes)):
        raise ValueError("one class, and no threshold that tells it from the background")
