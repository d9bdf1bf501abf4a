"""What the metadata of a .safetensors file says of the training: one text for each key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from segpp_deploy.config import ChannelOrder, TaskName
from segpp_deploy.model.weights.training_record import Color, TrainingRecord, Triple


def read_text_record(metadata: Mapping[str, str]) -> TrainingRecord:
    """Read `classes`, `palette`, `mean`, `std`, `channel_order` and `task`; what is not understood is not said.

    Example:
        >>> read_text_record({"classes": "sky, road", "mean": "1,2,3", "task": "segmentation"}).classes
        ('sky', 'road')
    """
    names, palette = _parse_list(metadata.get("classes")), _parse_list(metadata.get("palette"))
    return TrainingRecord(
        classes=tuple(str(name).strip() for name in names) if names else None,
        palette=tuple(_parse_color(entry) for entry in palette) if palette else None,
        mean=_parse_triple(metadata.get("mean")),
        std=_parse_triple(metadata.get("std")),
        channel_order=next((order for order in ChannelOrder if metadata.get("channel_order") == order), None),
        task=next((task for task in TaskName if metadata.get("task", "").startswith(str(task))), None),
    )


def _parse_list(value: Any) -> list[Any] | None:
    """Read a list, a JSON list, or comma-separated text; None where there is none."""
    if isinstance(value, list):
        return value
    if not isinstance(value, str) or not value.strip():
        return None
    try:
        parsed = json.loads(value)
    except (json.JSONDecodeError, RecursionError):
        parsed = None
    return parsed if isinstance(parsed, list) else [part.strip() for part in value.split(",")]


def _parse_color(entry: Any) -> Color | None:
    channels = _parse_list(entry) or []
    if len(channels) != 3 or not all(isinstance(channel, int) and 0 <= channel <= 255 for channel in channels):
        return None
    return channels[0], channels[1], channels[2]


def _parse_triple(value: Any) -> Triple | None:
    try:
        numbers = [float(part) for part in _parse_list(value) or ()]
    except (TypeError, ValueError):
        return None
    return (numbers[0], numbers[1], numbers[2]) if len(numbers) == 3 else None
