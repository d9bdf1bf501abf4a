"""What is known of a model's training: from the user, a card, or the checkpoint; what none of them says is assumed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from segpp_deploy import commands
from segpp_deploy.config import (
    ChannelOrder,
    ClassTable,
    KeypointRelations,
    Normalization,
    Size,
    TaskName,
    default_class_table,
    is_binary,
)
from segpp_deploy.errors import SegppError

Triple = tuple[float, float, float]
Color = tuple[int, int, int]

DEFAULT_THRESHOLD = 0.3  # mmsegmentation's

_WHITE = 255.0  # the largest grey level of a picture
_BACKGROUND, _FOREGROUND = "background", "foreground"
_BLACK = (0, 0, 0)


@dataclass(frozen=True)
class TrainingRecord:
    """What one source says; None where it does not say.

    Args:
        classes: names of classes or keypoints, in the order of the outputs.
        palette: RGB colour of each name, None for those without.
        mean: per channel, of RGB in 0 .. 255, whatever order the network takes its channels in.
        std: likewise.
        channel_order: of the network's input.
        size: input size in pixels.
        window: size of the windows that pictures were cut into when the model was tested.
        task: what the model does.
        threshold: of a head with one output, the probability above which a pixel is foreground.
        reduce_labels: label files were numbered from 1, and 0 did not count.
        align_corners: how the head resizes.
        keypoints: flip pairs, sigmas and skeleton.
    """

    classes: tuple[str, ...] | None = None
    palette: tuple[Color | None, ...] | None = None
    mean: Triple | None = None
    std: Triple | None = None
    channel_order: ChannelOrder | None = None
    size: Size | None = None
    window: Size | None = None
    task: TaskName | None = None
    threshold: float | None = None
    reduce_labels: bool | None = None
    align_corners: bool | None = None
    keypoints: KeypointRelations | None = None

    def or_else(self, other: TrainingRecord) -> TrainingRecord:
        """Return this record, completed by what only the other one says; names and their colours stay together."""
        said = {name: value for name, value in vars(self).items() if value is not None}
        chosen: dict[str, Any] = {**vars(other), **said}
        if self.classes is not None:
            chosen["palette"] = self.palette
        return TrainingRecord(**chosen)

    def class_table(self, outputs: int, where: str) -> ClassTable:
        """Return names and colours; those that nobody gave are made up.

        Args:
            outputs: classes or keypoints of the model.
            where: the source, for messages.

        Raises:
            SegppError: another number of names.
        """
        if not self._is_binary(outputs):
            return self._given_table(outputs, where)
        if self.classes is not None and len(self.classes) == 2:  # mmsegmentation's num_classes=2, out_channels=1
            return self._given_table(2, where)
        foreground = replace(self, classes=self.classes or (_FOREGROUND,))._given_table(outputs, where)
        return ClassTable((_BACKGROUND, *foreground.names), (_BLACK, *foreground.palette))

    def _is_binary(self, outputs: int) -> bool:
        return self.task is not None and is_binary(self.task, outputs)

    def _given_table(self, outputs: int, where: str) -> ClassTable:
        if self.classes is None:
            return default_class_table(outputs)
        if len(self.classes) != outputs:
            wanted, given = (f"{count} name{'s' if count > 1 else ''}" for count in (outputs, len(self.classes)))
            raise SegppError(
                f"{where} predicts {outputs} class{'es' if outputs > 1 else ''}, but {given} are given for them "
                f"({', '.join(self.classes[:4])}{', ...' if len(self.classes) > 4 else ''}).",
                f"{wanted}.",
                f"Write {wanted} into a text file, one a line, and add " + commands.option("classes", "FILE"),
            )
        made_up = ClassTable(self.classes).palette
        palette = self.palette if self.palette is not None and len(self.palette) == outputs else made_up
        return ClassTable(self.classes, tuple(color or made_up[index] for index, color in enumerate(palette)))

    def normalization(self, where: str) -> Normalization:
        """Return mean and deviation, ImageNet's where nobody gave them.

        Raises:
            SegppError: a normalisation that cannot be; `where` is the source, for messages.
        """
        assumed = Normalization()
        found = Normalization(self.mean or assumed.mean, self.std or assumed.std)
        _require_possible(found, where)
        return found

    def sigmoid_threshold(self, outputs: int, where: str) -> float | None:
        """Return the probability above which a pixel is foreground, or None for a model whose outputs are compared.

        Raises:
            SegppError: a threshold that is no probability; `where` is the source, for messages.
        """
        if not self._is_binary(outputs):
            return None
        if self.threshold is None:
            return DEFAULT_THRESHOLD
        return require_threshold(self.threshold, f"The threshold {self.threshold} of {where}")

    def assumed(self, outputs: int) -> tuple[str, ...]:
        """Return what nobody said of a model with so many outputs, besides its size."""
        statistics = [name for name, value in (("mean", self.mean), ("deviation", self.std)) if value is None]
        names = "class names" if self.task is not TaskName.POSE else "keypoint names"
        last = f" to class_{outputs - 1}" if outputs > 1 else ""
        made_up = f"class_0{last}" if not self._is_binary(outputs) else f"{_BACKGROUND}, {_FOREGROUND}"
        lines = {
            "RGB": self.channel_order is None,
            f"ImageNet {' and '.join(statistics)}": bool(statistics),
            f"{names} {made_up}": self.classes is None,
            f"threshold {DEFAULT_THRESHOLD}": self._is_binary(outputs) and self.threshold is None,
        }
        return tuple(line for line, is_assumed in lines.items() if is_assumed)


NOTHING_SAID = TrainingRecord()


def require_threshold(value: float, name: str) -> float:
    """Return a threshold of a sigmoid, if it can be one; messages call it `name`.

    Raises:
        SegppError: not between 0 and 1.
    """
    if not 0 < value < 1:  # NaN is not either
        raise SegppError(
            f"{name} is not between 0 and 1.", "a probability above 0 and below 1.", commands.option("threshold", 0.5)
        )
    return value


def _require_possible(found: Normalization, where: str) -> None:
    """Refuse what pictures of 0 to 255 cannot have been normalised by; most often it is meant for 0 to 1."""
    if all(value >= 1 for value in found.std) and all(0 <= value <= _WHITE for value in found.mean):
        return
    mean, std = (", ".join(f"{value:g}" for value in values) for values in (found.mean, found.std))
    what = f"The normalisation of {where} cannot be: mean {mean}, deviation {std}, for grey levels from 0 to 255."
    if max(*found.mean, *found.std) <= 1 and min(found.std) > 0:
        scaled = [",".join(f"{value * _WHITE:g}" for value in values) for values in (found.mean, found.std)]
        fix = commands.option("mean", scaled[0]) + " " + commands.option("std", scaled[1])
        raise SegppError(what, "values for pictures from 0 to 255; these look as if they were meant for 0 to 1.", fix)
    raise SegppError(
        what,
        "means from 0 to 255 and deviations of at least 1.",
        "Say what the training used: " + commands.option("mean", "R,G,B") + " " + commands.option("std", "R,G,B"),
    )
