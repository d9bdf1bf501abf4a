"""What a checkpoint says about its classes, its normalisation and its task, in any of the forms that exist."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from segpp_deploy.config import ClassTable, Normalization, TaskName

Color = tuple[int, int, int]


def read_classes(metadata: Mapping[str, Any], count: int) -> ClassTable | None:
    """Return names and colours if there are `count` names; colours that are missing or wrong are generated.

    Example:
        >>> read_classes({"classes": "sky, road", "palette": "[[0, 0, 255], [90, 90, 90]]"}, 2).palette
        ((0, 0, 255), (90, 90, 90))
    """
    listed = parse_list(metadata.get("classes"))
    if listed is None or len(listed) != count:
        return None
    names = tuple(str(name).strip() for name in listed)
    colors = [_parse_color(entry) for entry in parse_list(metadata.get("palette")) or ()]
    generated = ClassTable(names).palette
    chosen = [color or generated[index] for index, color in enumerate(colors)] if len(colors) == count else generated
    return ClassTable(names, tuple(chosen))


def read_normalization(metadata: Mapping[str, Any]) -> Normalization | None:
    """Return mean and deviation if both are three numbers.

    Example:
        >>> read_normalization({"mean": "1,2,3", "std": [4, 5, 6]})
        Normalization(mean=(1.0, 2.0, 3.0), std=(4.0, 5.0, 6.0))
    """
    mean, std = _parse_triple(metadata.get("mean")), _parse_triple(metadata.get("std"))
    return Normalization(mean, std) if mean and std and min(std) > 0 else None


def read_task(metadata: Mapping[str, Any]) -> TaskName | None:
    """Return the task, which may be written `segmentation`.

    Example:
        >>> read_task({"task": "segmentation"}), read_task({})
        (<TaskName.SEG: 'seg'>, None)
    """
    text = str(metadata.get("task", ""))
    return next((task for task in TaskName if text.startswith(str(task))), None)


def parse_list(value: Any) -> list[Any] | None:
    """Read a list, a JSON list, or comma-separated text; None where there is none.

    Example:
        >>> parse_list("sky, road"), parse_list("[1, 2]"), parse_list(None)
        (['sky', 'road'], [1, 2], None)
    """
    if isinstance(value, list | tuple):
        return list(value)
    if not isinstance(value, str) or not value.strip():
        return None
    try:
        parsed = json.loads(value)
    except json.JSONDecodeError:
        parsed = None
    return parsed if isinstance(parsed, list) else [part.strip() for part in value.split(",")]


def _parse_color(entry: Any) -> Color | None:
    channels = parse_list(entry) or []
    if len(channels) != 3 or not all(isinstance(channel, int) and 0 <= channel <= 255 for channel in channels):
        return None
    return channels[0], channels[1], channels[2]


def _parse_triple(value: Any) -> tuple[float, float, float] | None:
    try:
        numbers = [float(part) for part in parse_list(value) or ()]
    except (TypeError, ValueError):
        return None
    return (numbers[0], numbers[1], numbers[2]) if len(numbers) == 3 else None
