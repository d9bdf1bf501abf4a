"""Pictures that OpenCV does not read, or not in every version: GIF, HEIC and AVIF."""

from __future__ import annotations

import contextlib
import importlib.util
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.data.image_formats import is_avif, is_whole_gif
from segpp_deploy.errors import UnreadableFileError

HEIF_SUFFIXES = (".heic", ".heif", ".avif")
INSTALL_HEIF = "pip install 'segpp-deploy[heic]'"

Pixels = NDArray[np.uint8]


def can_read_heif() -> bool:
    """Tell whether the library for HEIC and AVIF is installed."""
    return importlib.util.find_spec("pillow_heif") is not None


def decode_heif(path: Path, data: bytes) -> Pixels | None:
    """Return the main picture of a HEIC or AVIF file, upright, uint8 [H, W, 3] RGB; None for a damaged file.

    Raises:
        UnreadableFileError: the library for it is not installed.
    """
    if not can_read_heif():
        raise UnreadableFileError(
            f"{path} is a HEIC or AVIF picture; reading it needs pillow-heif, which is not installed.",
            "the extra 'heic'.",
            INSTALL_HEIF,
        )
    with contextlib.suppress(Exception):  # damaged files make them raise whatever their bytes lead to
        return _decode_avif(data) if is_avif(data) else _decode_heic(data)
    return None


def _decode_heic(data: bytes) -> Pixels:
    import pillow_heif

    return _three_channels(np.asarray(pillow_heif.open_heif(io.BytesIO(data))))


def _decode_avif(data: bytes) -> Pixels:
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(data), formats=["AVIF"]) as picture:
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"), np.uint8)


def decode_gif(data: bytes) -> Pixels | None:
    """Return the first picture of a GIF, uint8 [H, W, 3] RGB; None for a damaged file."""
    import av  # takes a while to load

    if not is_whole_gif(data):  # FFmpeg shows what there is of it
        return None
    with contextlib.suppress(av.FFmpegError), av.open(io.BytesIO(data), format="gif") as container:
        for frame in container.decode(video=0):
            return np.asarray(frame.reformat(format="rgb24").to_ndarray(), np.uint8)
    return None


def _three_channels(pixels: Pixels) -> Pixels:
    """Repeat grey and drop alpha."""
    channels = pixels if pixels.ndim == 3 else pixels[..., None]
    if channels.shape[2] < 3:
        channels = np.repeat(channels[..., :1], 3, axis=2)
    return np.ascontiguousarray(channels[..., :3])
