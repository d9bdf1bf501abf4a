"""A Hugging Face model directory: config.json and the weights, in one file or in shards."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from segpp_deploy import commands
from segpp_deploy.errors import SegppError, some_names
from segpp_deploy.model.weights.foreign import peft_error
from segpp_deploy.model.weights.hf_record import CONFIG_NAME, read_hf_record, read_json_object
from segpp_deploy.model.weights.source import CHECKPOINT_SUFFIXES
from segpp_deploy.model.weights.weights_file import FIX, WeightsFile, read_weights_file

_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


def read_hf_directory(folder: Path) -> WeightsFile:
    """Read the weights, and what the JSON files say of the training.

    Raises:
        SegppError: config.json or the weights are missing or damaged, or the model is no SegFormer as published.
    """
    if not (folder / CONFIG_NAME).is_file():
        raise _no_config(folder)
    record = read_hf_record(folder)
    weights = _read_weights(folder)
    return replace(weights, where=str(folder), record=record.or_else(weights.record))


def _no_config(folder: Path) -> SegppError:
    if (folder / "adapter_config.json").is_file():
        return peft_error(str(folder))
    what, expected = f"{folder} holds no {CONFIG_NAME}.", "a Hugging Face model directory."
    nested = sorted(path.parent for pattern in ("*", "snapshots/*") for path in folder.glob(f"{pattern}/{CONFIG_NAME}"))
    if nested:
        found = some_names([str(path.relative_to(folder)) for path in nested], 4)
        what = f"{what[:-1]}, but {found} below it {'does' if len(nested) == 1 else 'do'}."
        return SegppError(what, expected, commands.option("checkpoint", nested[-1]))
    files = sorted(path for path in folder.iterdir() if path.suffix in CHECKPOINT_SUFFIXES and path.is_file())
    if files:
        what = f"{what[:-1]}; it holds {some_names([path.name for path in files], 4)}."
        return SegppError(what, "one of these files, or a Hugging Face model directory.", _name_file(files[-1]))
    return SegppError(what, expected, FIX)


def _name_file(path: Path) -> str:
    return "Name the file: " + commands.option("checkpoint", path)


def _read_weights(folder: Path) -> WeightsFile:
    for name in _WEIGHTS:
        if (folder / name).is_file():
            return read_weights_file(folder / name)
        if (folder / f"{name}.index.json").is_file():
            return _read_shards(folder, folder / f"{name}.index.json")
    raise SegppError(f"{folder} holds no weights.", f"{' or '.join(_WEIGHTS)} beside {CONFIG_NAME}.", FIX)


def _read_shards(folder: Path, index: Path) -> WeightsFile:
    """Read every shard; the hash is that of the shards' hashes in name order."""
    weight_map = read_json_object(index).get("weight_map")
    if not isinstance(weight_map, dict):
        raise SegppError(f"{index} has no weight_map.", "an index as transformers writes it.", FIX)
    shards = [read_weights_file(folder / Path(str(name)).name) for name in sorted(set(map(str, weight_map.values())))]
    content = {name: value for shard in shards for name, value in shard.content.items()}
    digest = hashlib.sha256("".join(shard.sha256 for shard in shards).encode())
    return WeightsFile(content, digest.hexdigest(), str(folder))
