"""The choices a user can make, as enums and frozen values; parsed once at the edge, never compared as strings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from segpp_deploy import commands
from segpp_deploy.errors import SegppError, quote, unknown_name_error


class Choice(str, Enum):
    """A string enum that prints as its value (StrEnum needs Python 3.11)."""

    def __str__(self) -> str:
        return str(self.value)


class Arch(Choice):
    """The MiT backbone."""

    B0 = "b0"
    B1 = "b1"
    B2 = "b2"
    B3 = "b3"
    B4 = "b4"
    B5 = "b5"


class TaskName(Choice):
    """What the head predicts."""

    SEG = "seg"
    POSE = "pose"


def is_binary(task: TaskName, outputs: int) -> bool:
    """Whether a model's one output is the logit of the foreground; one keypoint is something else."""
    return task is TaskName.SEG and outputs == 1


class Preset(Choice):
    """The named merge plans; `segpp_deploy.model.plan` says what each does."""

    ORIGINAL = "original"
    HQ = "hq"
    FAST = "fast"
    HQ_REUSE = "hq-reuse"
    FAST_REUSE = "fast-reuse"
    HQ_PLUS = "hq-plus"
    FAST_PLUS = "fast-plus"
    POOL_2X2 = "2x2"
    N1D = "n1d"
    DOWNSAMPLE = "downsample"


class InputKind(Choice):
    """The graph's input: RGB, as uint8 [B, H, W, 3], or as float32 [B, 3, H, W], normalised or from 0 to 255."""

    UINT8 = "uint8"
    FLOAT = "float"
    FLOAT255 = "float255"

    @property
    def is_normalized(self) -> bool:
        """Whether pictures are normalised before they go in, and not by the graph."""
        match self:
            case InputKind.FLOAT:
                return True
            case InputKind.UINT8 | InputKind.FLOAT255:
                return False

    @property
    def is_planar(self) -> bool:
        """Whether the channels come before the rows, and the values are floats."""
        match self:
            case InputKind.FLOAT | InputKind.FLOAT255:
                return True
            case InputKind.UINT8:
                return False


class OutputKind(Choice):
    """The graph's output: labels [B, H, W]; float32 logits or heatmaps [B, K, H/4, W/4], or keypoints [B, K, 3].

    Labels are uint8 unless their name says otherwise. Keypoints are x and y in pixels of the input, and a score.
    """

    LABELS = "labels"
    LABELS_INT32 = "labels-int32"
    LABELS_INT64 = "labels-int64"
    LOGITS = "logits"
    HEATMAPS = "heatmaps"
    KEYPOINTS = "keypoints"

    @property
    def labels_dtype(self) -> str | None:
        """NumPy name of the labels' type; None where the output is none of labels."""
        match self:
            case OutputKind.LABELS:
                return "uint8"
            case OutputKind.LABELS_INT32:
                return "int32"
            case OutputKind.LABELS_INT64:
                return "int64"
            case OutputKind.LOGITS | OutputKind.HEATMAPS | OutputKind.KEYPOINTS:
                return None

    @property
    def is_labels(self) -> bool:
        """Whether the classes are compared in the graph."""
        return self.labels_dtype is not None


class LabelsLayout(Choice):
    """The axes of labels: [B, H, W], or [B, H, W, 1]."""

    NHW = "nhw"
    NHWC = "nhwc"


@dataclass(frozen=True)
class OutputForm:
    """How a graph hands over what its `OutputKind` says.

    Args:
        name: of the output; None: the one that the kind has.
        layout: of labels.
        confidence: add a second output, how sure each label is.
    """

    name: str | None = None
    layout: LabelsLayout = LabelsLayout.NHW
    confidence: bool = False


class ChannelOrder(Choice):
    """The order in which a network was trained to take the channels; a graph always takes RGB."""

    RGB = "rgb"
    BGR = "bgr"


class Lowering(Choice):
    """How the custom ops are written: standard ONNX ops, or one `segpp::*` node each for TensorRT plugins."""

    PORTABLE = "portable"
    PLUGIN = "plugin"


class Precision(Choice):
    """The number format of the engine's heavy layers."""

    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"
    INT8 = "int8"


class TorchDevice(Choice):
    """Where PyTorch computes."""

    CPU = "cpu"
    CUDA = "cuda"


class Automatic(Choice):
    """What an option takes beside its own values: the program chooses, and says what and why."""

    AUTO = "auto"


class CalibrationMethod(Choice):
    """How the largest value that INT8 represents is chosen from the values seen; the rest is clipped."""

    MAX = "max"
    PERCENTILE = "percentile"
    ENTROPY = "entropy"
    MSE = "mse"


class Int8Layers(Choice):
    """Which layers int8 covers: those of the recipe that are faster so on this machine, or all of the recipe."""

    FASTER = "faster"
    ALL = "all"


class Fit(Choice):
    """How a whole picture of another aspect comes into the input's size: stretched, or padded at its own aspect."""

    RESIZE = "resize"
    PAD = "pad"


class Inference(Choice):
    """What an engine is shown: a picture or person whole, windows of a picture, or a person and the mirror image."""

    WHOLE = "whole"
    SLIDE = "slide"
    FLIP = "flip"


C = TypeVar("C", bound=Choice)


def parse_choice(choice: type[C], name: str, kind: str) -> C:
    """Return the member of `choice` called `name`.

    Raises:
        SegppError: there is none; the message lists the valid names and the closest one.

    Example:
        >>> parse_choice(Arch, "b0", "architecture")
        <Arch.B0: 'b0'>
    """
    try:
        return choice(name)
    except ValueError:
        raise unknown_name_error(kind, name, [str(member) for member in choice]) from None


def parse_precision(name: str) -> Precision | Automatic:
    """Return the precision called `name`, or AUTO.

    Raises:
        SegppError: there is none; the message lists the valid names and the closest one.

    Example:
        >>> parse_precision("bf16"), parse_precision("auto")
        (<Precision.BF16: 'bf16'>, <Automatic.AUTO: 'auto'>)
    """
    if name == Automatic.AUTO:
        return Automatic.AUTO
    if name in list(Precision):
        return Precision(name)
    raise unknown_name_error("precision", name, [str(member) for member in (*Automatic, *Precision)])


@dataclass(frozen=True)
class Size:
    """An image size in pixels; written HEIGHTxWIDTH on the command line."""

    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.height}x{self.width}"

    @property
    def hw(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width


def require_pictures(name: str, count: int) -> None:
    """Check how many pictures the option `name` asks for.

    Raises:
        SegppError: none.
    """
    if count < 1:
        what = f"{commands.option(name, count)} leaves no picture."
        raise SegppError(what, "a number of at least 1.", commands.option(name, 64))


MAX_FAILURES = 10
"""More unreadable files than these say that a data set is broken, not a file."""

MAX_SIDE_PX = 8192


def parse_size(text: str) -> Size:
    """Parse HEIGHTxWIDTH.

    Raises:
        SegppError: not two numbers, or outside 32 .. 8192 pixels a side.

    Example:
        >>> parse_size("512x1024")
        Size(height=512, width=1024)
    """
    match = re.fullmatch(r"(\d{1,9})[xX](\d{1,9})", text.strip())
    if match is None:
        raise SegppError(
            f"Size {quote(text)} is not HEIGHTxWIDTH.",
            "two numbers such as 512x1024.",
            commands.option("size", "512x1024"),
        )
    size = Size(int(match[1]), int(match[2]))
    if not (32 <= size.height <= MAX_SIDE_PX and 32 <= size.width <= MAX_SIDE_PX):
        raise SegppError(
            f"Size {size} is out of range.",
            f"between 32 and {MAX_SIDE_PX} pixels a side (the encoder divides by 32).",
            commands.option("size", "512x1024"),
        )
    return size


@dataclass(frozen=True)
class Normalization:
    """Per-channel mean and standard deviation of RGB in 0 .. 255."""

    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    std: tuple[float, float, float] = (58.395, 57.12, 57.375)


@dataclass(frozen=True)
class ClassTable:
    """Class (or keypoint) names and their RGB colours, by index.

    Args:
        names: one of each class.
        palette: one colour for each; left out, the hues are evenly spread.
    """

    names: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...] = ()

    def __post_init__(self) -> None:
        if not self.palette:
            object.__setattr__(self, "palette", tuple(map(_spread_hue, range(len(self.names)))))

    def __len__(self) -> int:
        return len(self.names)

    @property
    def distinct_names(self) -> tuple[str, ...]:
        """The names as keys of what is told by class: equal ones stand with their index.

        Example:
            >>> ClassTable(("pole", "car", "pole")).distinct_names
            ('pole (0)', 'car', 'pole (2)')
        """
        return tuple(
            f"{name} ({index})" if self.names.count(name) > 1 else name for index, name in enumerate(self.names)
        )


@dataclass(frozen=True)
class KeypointRelations:
    """What a pose data set says of its keypoints.

    Args:
        flip_pairs: the keypoints that change places in a mirrored picture, each pair once.
        sigmas: how far annotators differ by keypoint, of COCO's OKS; empty where it is not said.
        skeleton: the keypoints that a drawing joins by a line, each pair once.
    """

    flip_pairs: tuple[tuple[int, int], ...] = ()
    sigmas: tuple[float, ...] = ()
    skeleton: tuple[tuple[int, int], ...] = ()

    def or_else(self, other: KeypointRelations | None) -> KeypointRelations:
        """Return these relations, completed by what only the other ones say.

        Example:
            >>> KeypointRelations(((0, 1),)).or_else(KeypointRelations(((1, 2),), skeleton=((0, 2),)))
            KeypointRelations(flip_pairs=((0, 1),), sigmas=(), skeleton=((0, 2),))
        """
        said = {name: value for name, value in vars(self).items() if value}
        return KeypointRelations(**{**vars(other or KeypointRelations()), **said})

    def mirrored(self, count: int) -> list[int]:
        """Return which keypoint of a mirrored picture each of `count` keypoints is.

        Example:
            >>> KeypointRelations(((1, 2),)).mirrored(3)
            [0, 2, 1]
        """
        order = list(range(count))
        for left, right in self.flip_pairs:
            order[left], order[right] = right, left
        return order


def default_class_table(count: int) -> ClassTable:
    """Name `count` classes class_0 .. and so on.

    Example:
        >>> default_class_table(2).names
        ('class_0', 'class_1')
    """
    return ClassTable(tuple(f"class_{i}" for i in range(count)))


def _spread_hue(index: int) -> tuple[int, int, int]:
    import colorsys

    hue = (index * 0.61803398875) % 1.0  # golden-ratio steps keep neighbours apart
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.65, 0.95 if index % 2 else 0.7)
    return int(red * 255), int(green * 255), int(blue * 255)
