"""A Hugging Face model directory: config.json and the weights, in one file or in shards."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from segpp_deploy.errors import SegppError, quote, shorten
from segpp_deploy.files import MalformedFileError, read_json
from segpp_deploy.model.arch import HEADS, MLP_RATIO, PATCH_KERNEL, PATCH_STRIDE, SPATIAL_REDUCTION
from segpp_deploy.model.weights.weights_file import FIX, WeightsFile, read_weights_file

_RESCALE_FACTOR = 1 / 255  # transformers' default
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
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


def read_hf_directory(folder: Path) -> WeightsFile:
    """Read the weights, and the class names and normalisation that the JSON files give.

    Raises:
        SegppError: config.json or the weights are missing or damaged, or the model is no SegFormer as published.
    """
    config = _read_json(folder / "config.json", required=True)
    for name, value in _FIXED.items():
        found = config.get(name, value)
        if found != value:
            raise SegppError(
                f"{folder / 'config.json'} says {name}: {shorten(found) if isinstance(found, str) else quote(found)}.",
                f"{name}: {value}, as in every published SegFormer.",
                "Choose a SegFormer checkpoint.",
            )
    weights = _read_weights(folder)
    return WeightsFile(weights.tensors, weights.sha256, str(folder), _describe(folder, config))


def _read_weights(folder: Path) -> WeightsFile:
    for name in _WEIGHTS:
        if (folder / name).is_file():
            return read_weights_file(folder / name)
        if (folder / f"{name}.index.json").is_file():
            return _read_shards(folder, folder / f"{name}.index.json")
    raise SegppError(f"{folder} holds no weights.", f"{' or '.join(_WEIGHTS)} beside config.json.", FIX)


def _read_shards(folder: Path, index: Path) -> WeightsFile:
    """Read every shard; the hash is that of the shards' hashes in name order."""
    weight_map = _read_json(index, required=True).get("weight_map")
    if not isinstance(weight_map, dict):
        raise SegppError(f"{index} has no weight_map.", "an index as transformers writes it.", FIX)
    shards = [read_weights_file(folder / Path(name).name) for name in sorted(set(map(str, weight_map.values())))]
    tensors = {name: tensor for shard in shards for name, tensor in shard.tensors.items()}
    digest = hashlib.sha256("".join(shard.sha256 for shard in shards).encode())
    return WeightsFile(tensors, digest.hexdigest(), str(folder))


def _describe(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {}
    labels = config.get("id2label")
    if isinstance(labels, dict) and all(str(index) in labels for index in range(len(labels))):
        names = [str(labels[str(index)]) for index in range(len(labels))]
        if names != [f"LABEL_{index}" for index in range(len(names))]:  # transformers' filler
            described["classes"] = names
    return described | _describe_normalization(folder / "preprocessor_config.json")


def _describe_normalization(path: Path) -> dict[str, list[float]]:
    """Return mean and deviation in grey levels from 0 to 255; transformers computes (x * rescale_factor - mean) / std.

    Without `do_rescale` the factor is 1; without `do_normalize` nothing is subtracted or divided by.
    """
    processor = _read_json(path, required=False)
    factor = processor.get("rescale_factor", _RESCALE_FACTOR) if processor.get("do_rescale", True) else 1.0
    if not isinstance(factor, int | float) or not factor > 0:
        raise SegppError(
            f"{path} says rescale_factor: {quote(factor)}.",
            "a number above 0, such as 0.00392156862745098 (1/255).",
            "Write the factor that the model was trained with, or leave the line out for 1/255.",
        )
    statistics = {"mean": processor.get("image_mean"), "std": processor.get("image_std")}
    if not processor.get("do_normalize", True):
        statistics = {"mean": [0.0] * 3, "std": [1.0] * 3}
    return {
        name: [value * (1 / factor) for value in values]  # of 1/255: exactly 255
        for name, values in statistics.items()
        if isinstance(values, list) and all(isinstance(value, int | float) for value in values)
    }


def _read_json(path: Path, *, required: bool) -> dict[str, Any]:
    if not path.is_file():
        if required:
            raise SegppError(f"{path.parent} holds no {path.name}.", "a Hugging Face model directory.", FIX)
        return {}
    try:
        content = read_json(path)
    except MalformedFileError as error:
        raise SegppError(f"{path} is not JSON: {error}.", "a JSON file.", "Download or copy it again.") from error
    if not isinstance(content, dict):
        raise SegppError(f"{path} holds no JSON object.", "a JSON object.", "Download or copy it again.")
    return content
