"""What a model card (`models/NAME.yaml`) may say, validated; `cards` finds and reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PrivateAttr,
    field_validator,
    model_validator,
)

from segpp_deploy.config import (
    Arch,
    ChannelOrder,
    ClassTable,
    KeypointRelations,
    Normalization,
    Size,
    TaskName,
    parse_size,
)

Channel = Annotated[int, Field(ge=0, le=255)]
Color = tuple[Channel, Channel, Channel]
Triple = tuple[float, float, float]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
SizeText = Annotated[
    Size, BeforeValidator(lambda v: parse_size(v) if isinstance(v, str) else v), PlainSerializer(str, str)
]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CardClass(_Strict):
    """One class or keypoint; without a color it gets a generated one."""

    name: Annotated[str, Field(min_length=1)]
    color: Color | None = None


class CardKeypoints(_Strict):
    """How the keypoints, numbered from 0, belong together; see `KeypointRelations`."""

    flip_pairs: tuple[tuple[int, int], ...] = ()
    sigmas: tuple[float, ...] = ()
    skeleton: tuple[tuple[int, int], ...] = ()


class CardNormalization(_Strict):
    """Per-channel mean and standard deviation of RGB in 0 .. 255, ImageNet's by default; and what the network takes."""

    mean: Triple = Normalization.mean
    std: Triple = Normalization.std
    channel_order: ChannelOrder = ChannelOrder.RGB

    @field_validator("std")
    @classmethod
    def _positive(cls, std: Triple) -> Triple:
        if min(std) <= 0:
            raise ValueError("every deviation must be greater than 0")
        return std


class CardCheckpoint(_Strict):
    """Where the weights are: a file beside the card, or an address; at most one of the two.

    Args:
        file: name of a file beside the card.
        url: http(s) address of the file itself.
        page: web page that describes or offers the weights, for people.
        sha256: hex SHA-256 of the file; null for a download means: recorded on first use.
    """

    file: str | None = None
    url: Annotated[str, Field(pattern=r"^https?://")] | None = None
    page: str | None = None
    sha256: Sha256 | None = None

    @model_validator(mode="after")
    def _one_source(self) -> CardCheckpoint:
        if self.file and self.url:
            raise ValueError("give either file or url, not both")
        if self.file and (Path(self.file).name != self.file):
            raise ValueError("file must be the name of a file beside the card, without folders")
        return self


class CardMetric(_Strict):
    """One number with what it was measured on.

    Args:
        name: metric, e.g. mIoU or PCK@0.1, in percent.
        value: the number.
        mode: the merge mode it belongs to.
        data: dataset and split.
        protocol: how it was measured, e.g. "sliding windows 1024x1024, stride 768".
    """

    name: str
    value: float
    mode: str = "original"
    data: str
    protocol: str = ""


class ModelCard(_Strict):
    """A model: architecture, classes, input, weights, and where all of it comes from.

    Args:
        name: the name users give; equals the file name.
        title: one line for people.
        arch: backbone.
        task: segmentation or pose.
        classes: classes or keypoints in the order of the outputs.
        keypoints: of a pose model, how its keypoints belong together.
        input_size: HEIGHTxWIDTH in pixels the model is meant for.
        normalization: what the network was trained with; left out, its checkpoint may say it.
        threshold: of a head with one output, the probability from which a pixel belongs to the class.
        reduce_labels: label files were numbered from 1, and 0 did not count.
        checkpoint: where the weights are.
        metrics: published or measured numbers.
        licence: licence of the weights.
        provenance: who trained it, on what.
        notes: what a user should know.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
    title: str
    arch: Arch
    task: TaskName
    classes: Annotated[tuple[CardClass, ...], Field(min_length=1)]
    keypoints: CardKeypoints | None = None
    input_size: SizeText
    normalization: CardNormalization | None = None
    threshold: Annotated[float, Field(gt=0, lt=1)] | None = None
    reduce_labels: bool | None = None
    checkpoint: CardCheckpoint
    metrics: tuple[CardMetric, ...] = ()
    licence: str
    provenance: str
    notes: tuple[str, ...] = ()

    _folder: Path = PrivateAttr(default_factory=Path)

    @model_validator(mode="after")
    def _unique_names(self) -> ModelCard:
        names = [entry.name for entry in self.classes]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"classes repeat the name {repeated[0]!r}")
        return self

    @model_validator(mode="after")
    def _keypoints_exist(self) -> ModelCard:
        said = self.keypoints or CardKeypoints()
        lost = [pair for pair in (*said.flip_pairs, *said.skeleton) if not all(0 <= i < self.num_outputs for i in pair)]
        if lost:
            raise ValueError(f"keypoints {lost[0]} do not exist: there are {self.num_outputs}, counted from 0")
        if said.sigmas and (len(said.sigmas) != self.num_outputs or min(said.sigmas) <= 0):
            raise ValueError(f"sigmas must be {self.num_outputs} numbers above 0, one for each keypoint")
        return self

    @property
    def folder(self) -> Path:
        """The folder of the card's file; a checkpoint `file` lies there."""
        return self._folder

    @property
    def num_outputs(self) -> int:
        """Number of classes or keypoints."""
        return len(self.classes)

    def keypoint_relations(self) -> KeypointRelations | None:
        """Return how the keypoints belong together; None where the card does not say it."""
        return None if self.keypoints is None else KeypointRelations(**dict(self.keypoints))

    def class_table(self) -> ClassTable:
        """Return names and colours; classes without a colour get evenly spread hues."""
        names = tuple(entry.name for entry in self.classes)
        generated = ClassTable(names).palette
        return ClassTable(names, tuple(entry.color or generated[index] for index, entry in enumerate(self.classes)))
