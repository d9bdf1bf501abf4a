"""Reading and writing pictures (always uint8 RGB) and label maps (always their exact stored values)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import ClassTable
from segpp_deploy.data.image_header import (
    PNG_SIGNATURE,
    DamagedImageError,
    PngHeader,
    image_size,
    png_with_grey_samples,
    png_with_palette,
    read_png_header,
)
from segpp_deploy.errors import SegppError
from segpp_deploy.files import require_file, write_bytes

ByteImage = NDArray[np.uint8]
AnySample = np.integer[Any] | np.floating[Any]

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
MAX_IMAGE_PIXELS = 1 << 28  # 16384 x 16384: 0.8 GB once decoded
MAX_FILE_BYTES = 1 << 30

_FORMATS = "PNG, JPEG, BMP, WebP or TIFF"
_JPEG_QUALITY = 95
_LOG_SILENT = 0


def read_image(path: Path) -> ByteImage:
    """Read a picture as RGB, turned upright as its EXIF orientation says.

    Grey is repeated to three channels, alpha is dropped, 16-bit samples keep their upper byte.

    Returns:
        uint8 [H, W, 3], RGB.

    Raises:
        SegppError: missing, empty, cut off, not an image, or more than `MAX_IMAGE_PIXELS` pixels.
    """
    path = Path(path)
    data = _read_bytes(path, f"{_FORMATS} picture")
    try:
        size = image_size(data)
    except DamagedImageError as error:
        raise _damaged_error(path, str(error)) from error
    if size is not None:
        _check_pixel_count(path, size)
    decoded = _decode(data, cv2.IMREAD_COLOR)
    if decoded is None:
        raise _damaged_error(path, "no decoder can read it")
    _check_pixel_count(path, decoded.shape[:2])
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)


def list_images(path: Path) -> list[Path]:
    """Return `path` itself if it is a file, else the pictures in that directory, sorted by name.

    Raises:
        SegppError: no such path, or a directory without a picture.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise SegppError(
            f"No such file or directory: {path}.", "a picture or a directory of pictures.", "Check the path."
        )
    found = sorted(
        entry for entry in path.iterdir() if is_image_name(entry) and not entry.name.startswith(".") and entry.is_file()
    )
    if not found:
        raise SegppError(
            f"No pictures in {path}.",
            f"at least one file ending in {', '.join(IMAGE_SUFFIXES)}.",
            "Name the directory that holds the pictures themselves; sub-directories are not searched.",
        )
    return found


def is_image_name(path: Path) -> bool:
    """Tell by the suffix whether a file is a picture that `read_image` can read."""
    return Path(path).suffix.lower() in IMAGE_SUFFIXES


def require_image_name(path: Path) -> Path:
    """Return `path` if `write_image` can write a file of that name.

    Raises:
        SegppError: an unknown suffix.
    """
    path = Path(path)
    if not is_image_name(path):
        raise SegppError(
            f"Cannot write a picture named {path.name!r}.",
            f"a name ending in {', '.join(IMAGE_SUFFIXES)}.",
            f"Name it {path.with_suffix('.png')}",
        )
    return path


def write_image(path: Path, rgb: ByteImage) -> None:
    """Write uint8 [H, W, 3] RGB, whole or not at all; the suffix chooses the format.

    Raises:
        SegppError: an unknown suffix, or the file system refuses.
    """
    path = require_image_name(path)
    data = _encode(path.suffix.lower(), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    write_bytes(path, data)


def read_labels(path: Path) -> ByteImage:
    """Read a label map exactly as stored: palette indices stay indices and no sample is scaled or converted.

    Returns:
        uint8 [H, W]; each pixel is the sample stored in the PNG.

    Raises:
        SegppError: missing, empty, cut off, not a PNG, coloured (channels differ), or with samples above 255.
    """
    path = Path(path)
    data = _read_bytes(path, "PNG label map")
    if not data.startswith(PNG_SIGNATURE):
        raise SegppError(
            f"Label map {path} is not a PNG file.",
            "a PNG with one class index per pixel (other formats may alter the indices).",
            "Convert the label maps to 8-bit grey or palette PNG without changing their values.",
        )
    try:
        header = read_png_header(data)
    except DamagedImageError as error:
        raise _damaged_error(path, str(error)) from error
    _check_pixel_count(path, (header.height, header.width))
    decoded = _decode(png_with_grey_samples(data), cv2.IMREAD_UNCHANGED)
    if decoded is None:
        raise _damaged_error(path, "no decoder can read it")
    return _label_samples(path, decoded, header)


def require_labels_name(path: Path) -> Path:
    """Return `path` if `write_labels` can write a file of that name.

    Raises:
        SegppError: the name does not end in .png.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise SegppError(
            f"Cannot write a label map named {path.name!r}.",
            "a name ending in .png (lossy formats would alter the indices).",
            f"Name it {path.with_suffix('.png')}",
        )
    return path


def write_labels(path: Path, labels: ByteImage, classes: ClassTable | None = None) -> None:
    """Write uint8 [H, W] as an 8-bit PNG; given `classes`, viewers show their colours (indices stay exact).

    Raises:
        SegppError: the name does not end in .png, or the file system refuses.
    """
    path = require_labels_name(path)
    if labels.ndim != 2 or labels.dtype != np.uint8:
        raise ValueError(f"labels must be uint8 [H, W], not {labels.dtype} {list(labels.shape)}")
    data = _encode(".png", labels)
    if classes is not None:
        colours = np.zeros((256, 3), np.uint8)
        colours[: len(classes)] = classes.palette
        data = png_with_palette(data, colours.tobytes())
    write_bytes(path, data)


def _label_samples(path: Path, decoded: NDArray[AnySample], header: PngHeader) -> ByteImage:
    if decoded.ndim == 3:
        first = decoded[..., 0]
        if not (np.array_equal(first, decoded[..., 1]) and np.array_equal(first, decoded[..., 2])):
            raise SegppError(
                f"Label map {path} is a colour picture (its channels differ).",
                "one class index per pixel, as grey or palette PNG.",
                "Convert colours to class indices first, or name the directory with the index maps.",
            )
        decoded = first
    highest = int(decoded.max())
    if decoded.dtype != np.uint8 and highest > 255:
        raise SegppError(
            f"Label map {path} holds the value {highest}.",
            "class indices from 0 to 255.",
            "Convert 16-bit label maps (instance ids?) to class indices first.",
        )
    labels = np.ascontiguousarray(decoded, dtype=np.uint8)
    if header.bit_depth < 8:  # decoders stretch 1-, 2- and 4-bit grey to 0 .. 255
        labels //= 255 // ((1 << header.bit_depth) - 1)
    return labels


def _read_bytes(path: Path, kind: str) -> bytes:
    require_file(path, kind, "Check the path.")
    size_bytes = path.stat().st_size
    if size_bytes > MAX_FILE_BYTES:
        raise SegppError(
            f"{path} has {size_bytes / 1e9:.1f} GB.",
            f"a {kind} of at most {MAX_FILE_BYTES / 1e9:.1f} GB.",
            "Check that it is the file you mean.",
        )
    return path.read_bytes()


def _decode(data: bytes, flags: int) -> NDArray[AnySample] | None:
    with _quiet_decoder():
        try:
            return cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        except cv2.error:
            return None


def _encode(suffix: str, pixels: NDArray[AnySample]) -> bytes:
    parameters = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if suffix in (".jpg", ".jpeg") else []
    _, data = cv2.imencode(suffix, pixels, parameters)
    return data.tobytes()


@contextlib.contextmanager
def _quiet_decoder() -> Iterator[None]:
    log = _decoder_log()
    if log is None:
        yield
        return
    level = log.getLogLevel()
    log.setLogLevel(_LOG_SILENT)  # our error says it once; the decoder's log would say it again
    try:
        yield
    finally:
        log.setLogLevel(level)


def _decoder_log() -> Any:
    """Return what holds `getLogLevel` and `setLogLevel`: until OpenCV 4.12 cv2 itself; in some builds nothing does."""
    places = (getattr(getattr(cv2, "utils", None), "logging", None), cv2)
    return next((place for place in places if hasattr(place, "setLogLevel")), None)


def _check_pixel_count(path: Path, size: tuple[int, ...]) -> None:
    height, width = size
    if height * width > MAX_IMAGE_PIXELS:
        raise SegppError(
            f"{path} has {width} x {height} pixels.",
            f"at most {MAX_IMAGE_PIXELS // 1_000_000} million pixels.",
            "Cut it into tiles or scale it down first.",
        )


def _damaged_error(path: Path, reason: str) -> SegppError:
    return SegppError(
        f"{path} is not a readable image: {reason}.",
        f"a whole {_FORMATS} file.",
        "Copy or download the file again, or leave it out.",
    )
