"""Read the tensors of a weights file without running anything that the file says."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from segpp_deploy import commands
from segpp_deploy.errors import SegppError, one_line
from segpp_deploy.files import require_file, sha256_of
from segpp_deploy.model.weights.mm_record import read_mm_record
from segpp_deploy.model.weights.safe_pickle import load_pickle
from segpp_deploy.model.weights.source import CHECKPOINT_SUFFIXES
from segpp_deploy.model.weights.state_dicts import all_names
from segpp_deploy.model.weights.text_record import read_text_record
from segpp_deploy.model.weights.training_record import NOTHING_SAID, TrainingRecord

KIND = f"checkpoint ({', '.join(CHECKPOINT_SUFFIXES)}, or a Hugging Face directory)"
FIX = (
    "Give the file with "
    + commands.option("checkpoint")
    + ", or name a model card; "
    + commands.help_of("export")
    + " lists them."
)
_MAX_HEADER_BYTES = 100 << 20  # safetensors' own limit


@dataclass(frozen=True)
class WeightsFile:
    """What a checkpoint holds.

    Args:
        content: tensors by name, within whatever the file wraps them in.
        sha256: of the file.
        where: the path, for messages.
        record: what the file says of the training.
    """

    content: Mapping[str, Any]
    sha256: str
    where: str
    record: TrainingRecord = NOTHING_SAID


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
    content: Mapping[str, Any]
    if kind is _Format.SAFETENSORS:
        content, metadata = _read_safetensors(path)
        record = read_text_record(metadata)
    elif kind in (_Format.ZIP, _Format.PICKLE):
        loaded = load_pickle(path, is_zip=kind is _Format.ZIP)
        content = loaded if isinstance(loaded, Mapping) else {}
        record = read_mm_record(content)
    else:
        raise _not_a_checkpoint(path, kind)
    if not all_names(content):
        raise SegppError(f"{path} holds no tensors.", f"a {KIND} with a model's weights.", FIX)
    return WeightsFile(content, sha256_of(path), str(path), record)


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
