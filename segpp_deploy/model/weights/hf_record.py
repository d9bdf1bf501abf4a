"""What the JSON files of a Hugging Face model say: `config.json` and `preprocessor_config.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from segpp_deploy.config import MAX_SIDE_PX, ChannelOrder, Size
from segpp_deploy.errors import SegppError, quote, shorten
from segpp_deploy.files import MalformedFileError, read_json
from segpp_deploy.model.arch import HEADS, MLP_RATIO, PATCH_KERNEL, PATCH_STRIDE, SPATIAL_REDUCTION
from segpp_deploy.model.weights.training_record import NOTHING_SAID, TrainingRecord, Triple

CONFIG_NAME = "config.json"
PROCESSOR_NAME = "preprocessor_config.json"

_RESCALE_FACTOR = 1 / 255  # transformers' default
# Shapes don't show these: a model that differs would load and compute something else.
_FIXED: dict[str, Any] = {
    "model_type": "segformer",
    "num_encoder_blocks": 4,
    "num_channels": 3,
    "num_attention_heads": list(HEADS),
    "sr_ratios": list(SPATIAL_REDUCTION),
    "patch_sizes": list(PATCH_KERNEL),
    "strides": list(PATCH_STRIDE),
    "mlp_ratios": [MLP_RATIO] * 4,
    "hidden_act": "gelu",
}


def read_hf_record(folder: Path) -> TrainingRecord:
    """Return what the folder's JSON files say; each may be absent.

    Raises:
        SegppError: a file is damaged, or describes another network than the published SegFormer.
    """
    config, processor = read_json_object(folder / CONFIG_NAME), read_json_object(folder / PROCESSOR_NAME)
    _require_published(folder / CONFIG_NAME, config)
    reduce_labels = processor.get("do_reduce_labels", processor.get("reduce_labels"))
    normalized = _read_normalization(folder / PROCESSOR_NAME, processor) if processor else NOTHING_SAID
    return normalized.or_else(
        TrainingRecord(
            classes=_names(config.get("id2label")),
            size=_size(processor.get("size")) if processor.get("do_resize", True) else None,
            channel_order=ChannelOrder.RGB,
            reduce_labels=reduce_labels if isinstance(reduce_labels, bool) else None,
        )
    )


def has_hf_record(folder: Path) -> bool:
    """Tell whether the folder holds the files of a SegFormer of Hugging Face."""
    try:
        return read_json_object(folder / CONFIG_NAME).get("model_type") == "segformer"
    except SegppError:
        return False


def read_json_object(path: Path) -> dict[str, Any]:
    """Return a file's JSON object, {} where there is no file.

    Raises:
        SegppError: not JSON, or no object.
    """
    if not path.is_file():
        return {}
    try:
        content = read_json(path)
    except MalformedFileError as error:
        raise SegppError(f"{path} is not JSON: {error}.", "a JSON file.", "Download or copy it again.") from error
    if not isinstance(content, dict):
        raise SegppError(f"{path} holds no JSON object.", "a JSON object.", "Download or copy it again.")
    return content


def _require_published(path: Path, config: dict[str, Any]) -> None:
    for name, value in _FIXED.items():
        found = config.get(name, value)
        if found != value:
            raise SegppError(
                f"{path} says {name}: {shorten(found) if isinstance(found, str) else quote(found)}.",
                f"{name}: {value}, as in every published SegFormer.",
                "Choose a SegFormer checkpoint.",
            )


def _names(labels: Any) -> tuple[str, ...] | None:
    """Return the names; None for transformers' filler and for numbers that leave gaps."""
    if not isinstance(labels, dict) or not all(str(index) in labels for index in range(len(labels))):
        return None
    names = tuple(str(labels[str(index)]) for index in range(len(labels)))
    return names if names and names != tuple(f"LABEL_{index}" for index in range(len(names))) else None


def _size(size: Any) -> Size | None:
    """Read `size`: height and width, or one number for both; one edge alone gives no size."""
    if isinstance(size, int):
        size = {"height": size, "width": size}
    found = [size.get("height"), size.get("width")] if isinstance(size, dict) else []
    sides = [side for side in found if isinstance(side, int) and 32 <= side <= MAX_SIDE_PX]
    return Size(sides[0], sides[1]) if len(sides) == 2 else None


def _read_normalization(path: Path, processor: dict[str, Any]) -> TrainingRecord:
    """Return mean and deviation in grey levels from 0 to 255; transformers computes (x * rescale_factor - mean) / std.

    Without `do_rescale` the factor is 1; without `do_normalize` nothing is subtracted or divided by.
    """
    factor = processor.get("rescale_factor", _RESCALE_FACTOR) if processor.get("do_rescale", True) else 1.0
    if not isinstance(factor, int | float) or not factor > 0:
        raise SegppError(
            f"{path} says rescale_factor: {quote(factor)}.",
            "a number above 0, such as 0.00392156862745098 (1/255).",
            "Write the factor that the model was trained with, or leave the line out for 1/255.",
        )
    statistics = processor.get("image_mean"), processor.get("image_std")
    if not processor.get("do_normalize", True):
        statistics = [0.0] * 3, [1.0] * 3
    mean, std = (_scaled(values, 1 / factor) for values in statistics)  # of 1/255: exactly 255
    return TrainingRecord(mean=mean, std=std)


def _scaled(values: Any, scale: float) -> Triple | None:
    if not isinstance(values, list) or len(values) != 3 or not all(isinstance(value, int | float) for value in values):
        return None
    return values[0] * scale, values[1] * scale, values[2] * scale
