"""Read the tensors of a weights file without running anything that the file says."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from segpp_deploy import commands
from segpp_deploy.errors import SegppError, one_line
from segpp_deploy.files import require_file, sha256_of
from segpp_deploy.model.weights.safe_pickle import load_pickle

KIND = "checkpoint (.safetensors, .pth, .pt, .bin, or a Hugging Face directory)"
FIX = (
    "Give the file with "
    + commands.option("checkpoint")
    + ", or name a model card; "
    + commands.help_of("export")
    + " lists them."
)
_WRAPPERS = ("state_dict", "model_state_dict", "model", "module", "net")
_PREFIXES = ("module.", "model.", "net.", "_orig_mod.")  # DataParallel, Lightning, torch.compile
_MAX_HEADER_BYTES = 100 << 20  # safetensors' own limit


@dataclass(frozen=True)
class WeightsFile:
    """What a checkpoint holds.

    Args:
        tensors: by the file's names, wrappers and common prefixes removed.
        metadata: what the file says about classes, normalisation and task, in the file's own form.
        sha256: of the file.
        where: the path, for messages.
    """

    tensors: dict[str, torch.Tensor]
    sha256: str
    where: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


class _Format(Enum):
    SAFETENSORS = auto()
    ZIP = auto()
    PICKLE = auto()
    WEB_PAGE = auto()
    LFS_POINTER = auto()
    UNKNOWN = auto()


def read_weights_file(path: Path) -> WeightsFile:
    """Read a .safetensors or torch file; the format is told from the content, not from the suffix.

    Raises:
        SegppError: missing, empty, truncated, not a checkpoint, without tensors, or holding code to run.
    """
    path = require_file(path, KIND, FIX)
    kind = _sniff(path)
    if kind is _Format.SAFETENSORS:
        content, metadata = _read_safetensors(path)
    elif kind in (_Format.ZIP, _Format.PICKLE):
        content = load_pickle(path, is_zip=kind is _Format.ZIP)
        metadata = _pickle_metadata(content)
    else:
        raise _not_a_checkpoint(path, kind)
    tensors = _strip_prefixes(_unwrap(content))
    if not tensors:
        raise SegppError(f"{path} holds no tensors.", f"a {KIND} with a model's weights.", FIX)
    return WeightsFile(tensors, sha256_of(path), str(path), metadata)


def _sniff(path: Path) -> _Format:
    with open(path, "rb") as stream:
        start = stream.read(64)
    if start.startswith(b"PK\x03\x04"):
        return _Format.ZIP
    if len(start) > 8 and start[8:9] == b"{" and struct.unpack("<Q", start[:8])[0] <= _MAX_HEADER_BYTES:
        return _Format.SAFETENSORS
    if start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return _Format.PICKLE
    if start.lstrip().startswith(b"<"):
        return _Format.WEB_PAGE
    if start.startswith(b"version https://git-lfs"):
        return _Format.LFS_POINTER
    return _Format.UNKNOWN


def _not_a_checkpoint(path: Path, kind: _Format) -> SegppError:
    if kind is _Format.WEB_PAGE:
        what, fix = "is a web page", "Open it in a browser: it may say how to download the file itself."
    elif kind is _Format.LFS_POINTER:
        what, fix = "is a Git LFS pointer, not the file", "git lfs pull"
    else:
        what, fix = "is no checkpoint (its first bytes belong to no known format)", FIX
    return SegppError(f"{path} {what}.", f"a {KIND}.", fix)


def _read_safetensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt", device="cpu") as stream:
            return {name: stream.get_tensor(name) for name in stream.keys()}, stream.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise SegppError(
            f"{path} is a damaged safetensors file: {one_line(error)}.",
            "a complete file.",
            "Download or copy it again.",
        ) from error


def _pickle_metadata(content: Any) -> dict[str, Any]:
    """Return the class names and colours that mmengine (or mmcv 1) stored with the weights."""
    meta = content.get("meta") if isinstance(content, dict) else None
    if not isinstance(meta, dict):
        return {}
    found = meta.get("dataset_meta", meta)
    if not isinstance(found, dict):
        return {}
    lower = {str(key).lower(): value for key, value in found.items()}
    return {key: lower[key] for key in ("classes", "palette") if key in lower}


def _unwrap(content: Any) -> dict[str, torch.Tensor]:
    """Return the tensors of a state dict that may lie under `state_dict`, `model` and the like."""
    while isinstance(content, dict):
        tensors = {str(key): value for key, value in content.items() if isinstance(value, torch.Tensor)}
        wrapped = next((content[key] for key in _WRAPPERS if isinstance(content.get(key), dict)), None)
        if wrapped is None or len(tensors) > 1:  # a lone tensor beside the weights is a step counter or the like
            return tensors
        content = wrapped
    return {}


def _strip_prefixes(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Remove what wrappers put before every name."""
    prefix = next((prefix for prefix in _PREFIXES if tensors and _all_start_with(tensors, prefix)), None)
    if prefix is None:
        return tensors
    return _strip_prefixes({name.removeprefix(prefix): tensor for name, tensor in tensors.items()})


def _all_start_with(names: Iterable[str], prefix: str) -> bool:
    return all(name.startswith(prefix) for name in names)
