"""What mmengine (mmsegmentation 1, mmpose 1) and mmcv 1 store of the training beside the weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from segpp_deploy.config import MAX_SIDE_PX, ChannelOrder, KeypointRelations, Size, TaskName
from segpp_deploy.model.weights.config_text import find_mappings, parse_config_text
from segpp_deploy.model.weights.training_record import NOTHING_SAID, Color, TrainingRecord, Triple

_TEXTS = (("meta", "cfg"), ("meta", "config"), ("message_hub", "runtime_info", "cfg"))
_WHITE = 255.0


def read_mm_record(content: Mapping[str, Any]) -> TrainingRecord:
    """Return what a checkpoint's `meta` and `message_hub` say; an empty record where there are none."""
    texts = (_at(content, place) for place in _TEXTS)
    config = next((parse_config_text(text) for text in texts if isinstance(text, str) and text.strip()), {})
    meta = content.get("meta")
    return _read_dataset(meta if isinstance(meta, Mapping) else {}).or_else(_read_config(config))


def _read_dataset(meta: Mapping[str, Any]) -> TrainingRecord:
    """Read `dataset_meta`, or the capital names that mmcv 1 puts into `meta` itself."""
    described = meta.get("dataset_meta")
    found = {str(key).lower(): value for key, value in (described if isinstance(described, Mapping) else meta).items()}
    names = found.get("keypoint_id2name")
    if isinstance(names, Mapping) and all(index in names for index in range(len(names))):
        return TrainingRecord(
            classes=tuple(str(names[index]) for index in range(len(names))),
            palette=_colors(found.get("keypoint_colors")),
            keypoints=_relations(found, len(names)),
        )
    classes = found.get("classes")
    return TrainingRecord(
        classes=tuple(map(str, classes)) if isinstance(classes, list | tuple) and classes else None,
        palette=_colors(found.get("palette")),
        reduce_labels=_flag(found.get("reduce_zero_label")),
    )


def _relations(found: Mapping[str, Any], count: int) -> KeypointRelations:
    sigmas = _numbers(found.get("sigmas"))
    return KeypointRelations(
        flip_pairs=_pairs(found.get("flip_pairs"), count),
        sigmas=tuple(sigmas) if len(sigmas) == count else (),
        skeleton=_pairs(found.get("skeleton_links"), count),
    )


def _pairs(value: Any, count: int) -> tuple[tuple[int, int], ...]:
    pairs = (pair for pair in _lists_of(value, 2) if all(isinstance(i, int) and 0 <= i < count for i in pair))
    return tuple(sorted({(min(pair), max(pair)) for pair in pairs}))


def _read_config(config: Mapping[str, Any]) -> TrainingRecord:
    if not config:
        return NOTHING_SAID
    model = _mapping(config.get("model"))
    head, test = _mapping(model.get("decode_head")), _mapping(model.get("test_cfg"))
    preprocessor = _mapping(model.get("data_preprocessor")) or _mapping(config.get("data_preprocessor"))
    window = _size(test.get("crop_size")) if test.get("mode") == "slide" else None
    normalised = _read_preprocessor(preprocessor) if preprocessor else _read_normalize_step(config)
    reduced = (_flag(entry.get("reduce_zero_label")) for entry in find_mappings(config))
    return normalised.or_else(
        TrainingRecord(
            size=window or _size(preprocessor.get("size")) or _size(config.get("crop_size")) or _pose_size(config),
            window=window,
            threshold=_threshold(head.get("threshold")),
            reduce_labels=next((flag for flag in reduced if flag is not None), None),
            align_corners=_flag(head.get("align_corners")),
            task=TaskName.POSE if "TopdownPoseEstimator" in str(model.get("type")) else None,
        )
    )


def _read_preprocessor(found: Mapping[str, Any]) -> TrainingRecord:
    """Pictures are read as BGR there; without mean and deviation they stay as they are."""
    order = ChannelOrder.RGB if found.get("bgr_to_rgb") or found.get("to_rgb") else ChannelOrder.BGR
    if found.get("mean") is None:
        return TrainingRecord(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), channel_order=order)
    return _in_rgb(found.get("mean"), found.get("std"), order, 1.0)


def _read_normalize_step(config: Mapping[str, Any]) -> TrainingRecord:
    """Read mmcv 1's `Normalize`, or mmpose 0's `NormalizeTensor`, which follows a division by 255."""
    for step in find_mappings(config):
        if step.get("type") == "Normalize":
            order = ChannelOrder.RGB if step.get("to_rgb", True) else ChannelOrder.BGR
            return _in_rgb(step.get("mean"), step.get("std"), order, 1.0)
        if step.get("type") == "NormalizeTensor":
            return _in_rgb(step.get("mean"), step.get("std"), ChannelOrder.RGB, _WHITE)
    return NOTHING_SAID


def _in_rgb(mean: Any, std: Any, order: ChannelOrder, factor: float) -> TrainingRecord:
    """Their statistics are in the order that the network takes; ours are of red, green, blue."""
    step = 1 if order is ChannelOrder.RGB else -1
    return TrainingRecord(
        mean=_triple([value * factor for value in _numbers(mean)][::step]),
        std=_triple([value * factor for value in _numbers(std)][::step]),
        channel_order=order,
    )


def _pose_size(config: Mapping[str, Any]) -> Size | None:
    """mmpose gives width first."""
    codec, data = _mapping(config.get("codec")), _mapping(config.get("data_cfg"))
    found = _numbers(codec.get("input_size") or data.get("image_size"))
    return _size(found[::-1])


def _at(content: Mapping[str, Any], place: Iterable[str]) -> Any:
    found: Any = content
    for key in place:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _threshold(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 < value < 1 else None


def _numbers(value: Any) -> list[float]:
    listed = value if isinstance(value, list | tuple) else []
    plain = [entry for entry in listed if isinstance(entry, int | float) and math.isfinite(entry)]
    return [float(entry) for entry in plain] if len(plain) == len(listed) else []


def _triple(numbers: list[float]) -> Triple | None:
    return (numbers[0], numbers[1], numbers[2]) if len(numbers) == 3 else None


def _size(value: Any) -> Size | None:
    numbers = _numbers(value)
    if len(numbers) != 2 or not all(32 <= side <= MAX_SIDE_PX for side in numbers):
        return None
    return Size(int(numbers[0]), int(numbers[1]))


def _lists_of(value: Any, length: int) -> list[list[Any]]:
    listed = value if isinstance(value, list | tuple) else []
    return [list(entry) for entry in listed if isinstance(entry, list | tuple) and len(entry) == length]


def _colors(value: Any) -> tuple[Color | None, ...] | None:
    if not isinstance(value, list | tuple):
        return None
    return tuple(_color(entry) for entry in value)


def _color(entry: Any) -> Color | None:
    numbers = _numbers(entry)
    if len(numbers) != 3 or not all(0 <= value <= _WHITE for value in numbers):
        return None
    return int(numbers[0]), int(numbers[1]), int(numbers[2])
