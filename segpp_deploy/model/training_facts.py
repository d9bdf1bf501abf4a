"""What an exported model keeps of its training, beside its weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from segpp_deploy.config import ChannelOrder, KeypointRelations


@dataclass(frozen=True)
class TrainingFacts:
    """What later steps need to know; the defaults are what most models have.

    Args:
        channel_order: in which the network was trained; the graph takes RGB all the same.
        weights: which of the checkpoint's weights were asked for; None for what is taken by default.
        reduce_labels: label files were numbered from 1, and 0 did not count; None where nobody said.
        keypoints: flip pairs, sigmas and skeleton of a pose model; None where nobody said.
        assumed: what nobody said, in words.
    """

    channel_order: ChannelOrder = ChannelOrder.RGB
    weights: str | None = None
    reduce_labels: bool | None = None
    keypoints: KeypointRelations | None = None
    assumed: tuple[str, ...] = ()

    @property
    def assumption(self) -> str:
        """One line for the user; "" where everything was said."""
        return f"Assumed: {', '.join(self.assumed)}." if self.assumed else ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, only of what differs from the defaults."""
        values: dict[str, Any] = {
            "channel_order": None if self.channel_order is ChannelOrder.RGB else str(self.channel_order),
            "weights": self.weights,
            "reduce_labels": self.reduce_labels,
            "flip_pairs": [list(pair) for pair in self.keypoints.flip_pairs] if self.keypoints else None,
            "sigmas": list(self.keypoints.sigmas) if self.keypoints else None,
            "skeleton": [list(pair) for pair in self.keypoints.skeleton] if self.keypoints else None,
            "assumed": list(self.assumed) or None,
        }
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainingFacts:
        """Read what `to_dict` wrote; raises KeyError, TypeError or ValueError."""
        keypoints = None
        if "flip_pairs" in values:
            keypoints = KeypointRelations(
                _pairs(values["flip_pairs"]), tuple(map(float, values["sigmas"])), _pairs(values.get("skeleton", ()))
            )
        return cls(
            channel_order=ChannelOrder(values.get("channel_order", ChannelOrder.RGB)),
            weights=values.get("weights"),
            reduce_labels=values.get("reduce_labels"),
            keypoints=keypoints,
            assumed=tuple(values.get("assumed", ())),
        )


def _pairs(values: Iterable[Any]) -> tuple[tuple[int, int], ...]:
    return tuple((int(first), int(second)) for first, second in values)
