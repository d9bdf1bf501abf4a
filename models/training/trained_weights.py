"""Trained weights as a small .safetensors file that describes itself, or as shards of one, and the shards joined.

    python models/training/trained_weights.py runs/camvid-b2 runs/segformer_b2_camvid.safetensors

joins the shards that `train_camvid.py` left in a folder into one float32 file, which `--checkpoint` takes.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import torch
from network import DIALECTS
from safetensors import safe_open
from safetensors.torch import save_file

from segpp_deploy.config import ClassTable, Normalization
from segpp_deploy.files import atomic_path
from segpp_deploy.model.dialects import to_dialect
from segpp_deploy.model.segformer import SegFormer

SHARD_BYTES = 15 << 20
"""Small enough for the usual limits on one file."""


def compact_tensors(model: SegFormer) -> dict[str, torch.Tensor]:
    """Return the weights under the names of mmsegmentation or mmpose.

    Matrices and kernels become float16; vectors (biases, norms and their statistics) stay float32: they weigh nothing
    and a small variance would not survive.
    """
    named = to_dialect(model.float().cpu(), DIALECTS[model.spec.task])
    return {name: tensor.half() if tensor.ndim > 1 else tensor for name, tensor in named.items()}


def describe(model: SegFormer, classes: ClassTable, note: str) -> dict[str, str]:
    """Return the metadata of the file."""
    values = Normalization()
    return {
        "format": "pt",
        "task": str(model.spec.task),
        "arch": f"mit_{model.spec.arch}",
        "classes": ",".join(classes.names),
        "palette": str([list(color) for color in classes.palette]),
        "mean": ",".join(map(str, values.mean)),
        "std": ",".join(map(str, values.std)),
        "note": note,
    }


def save(tensors: Mapping[str, torch.Tensor], target: Path, metadata: Mapping[str, str]) -> None:
    """Write one .safetensors file, whole or not at all."""
    with atomic_path(target) as temporary:
        save_file(dict(tensors), temporary, dict(metadata))


def save_shards(tensors: Mapping[str, torch.Tensor], folder: Path, metadata: Mapping[str, str]) -> None:
    """Write the tensors to as few files of `SHARD_BYTES` as their order allows, over those of an earlier call."""
    shards: list[dict[str, torch.Tensor]] = []
    free = 0
    for name, tensor in tensors.items():
        if tensor.nbytes > free:
            shards.append({})
            free = SHARD_BYTES
        shards[-1][name] = tensor
        free -= tensor.nbytes
    for number, shard in enumerate(shards):
        save(shard, folder / f"shard-{number}.safetensors", metadata)


def join_shards(folder: Path, target: Path) -> None:
    """Write the shards of a folder as one file in float32.

    Raises:
        SystemExit: there are none.
    """
    tensors: dict[str, torch.Tensor] = {}
    metadata: dict[str, str] = {}
    for path in sorted(folder.glob("shard-*.safetensors")):
        with safe_open(path, framework="pt") as shard:
            metadata = shard.metadata()
            tensors |= {name: shard.get_tensor(name).float() for name in shard.keys()}  # noqa: SIM118 (no dict)
    if not tensors:
        raise SystemExit(f"{folder} holds no shards. train_camvid.py --out {folder} writes them.")
    save(tensors, target, metadata)


def main() -> None:
    """Parse the command line and join."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the shards are")
    parser.add_argument("target", type=Path, help="the .safetensors file to write")
    options = parser.parse_args()
    join_shards(options.folder, options.target)


if __name__ == "__main__":
    main()
