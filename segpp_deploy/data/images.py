"""Reading and writing pictures (always uint8 RGB) and label maps (always their exact stored values)."""

from __future__ import annotations

import contextlib
import io
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import ClassTable
from segpp_deploy.data.findings import note_first_of_many, note_not_read
from segpp_deploy.data.image_formats import GIF_SIGNATURES, count_pictures, describe_unsupported, is_heif
from segpp_deploy.data.image_header import (
    PNG_SIGNATURE,
    DamagedImageError,
    PngHeader,
    image_size,
    is_webp,
    png_with_grey_samples,
    png_with_palette,
    read_png_header,
)
from segpp_deploy.data.label_maps import LabelMap
from segpp_deploy.data.orientation import find_orientation
from segpp_deploy.data.other_pictures import HEIF_SUFFIXES, INSTALL_HEIF, can_read_heif, decode_gif, decode_heif
from segpp_deploy.data.sample_depth import to_eight_bits
from segpp_deploy.errors import SegppError, UnreadableFileError
from segpp_deploy.files import require_file, require_suffix, write_bytes

ByteImage = NDArray[np.uint8]
AnySample = np.integer[Any] | np.floating[Any]

WRITTEN_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
IMAGE_SUFFIXES = (*WRITTEN_SUFFIXES, ".gif", *HEIF_SUFFIXES)
MAX_IMAGE_PIXELS = 1 << 28  # 16384 x 16384: 0.8 GB once decoded
MAX_FILE_BYTES = 1 << 30

_FORMATS = "PNG, JPEG, BMP, WebP, TIFF, GIF, HEIC or AVIF"
_IS_UNWANTED = frozenset({"thumbs.db", "desktop.ini"})  # what file managers leave
_JPEG_QUALITY = 95
_ALL_BITS = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
_LOG_SILENT = 0


def read_image(path: Path) -> ByteImage:
    """Read a picture as RGB, turned upright as its EXIF orientation says.

    Grey is repeated to three channels, alpha is dropped. Of 16-bit samples the upper byte is kept, or the upper eight
    bits of the 10, 12 or 14 that a camera used (`sample_depth`). Of several pictures in a file the first is read.

    Returns:
        uint8 [H, W, 3], RGB.

    Raises:
        UnreadableFileError: missing, empty, cut off, not an image, of an unsupported kind, or more than
            `MAX_IMAGE_PIXELS` pixels.
    """
    path = Path(path)
    data = _read_bytes(path, f"{_FORMATS} picture")
    try:
        size = image_size(data)
    except DamagedImageError as error:
        raise _damaged_error(path, str(error)) from error
    if size is not None:
        _check_pixel_count(path, size)
    decoded = _decode_rgb(path, data)
    if decoded is None:
        raise _undecoded_error(path, data)
    _check_pixel_count(path, decoded.shape[:2])
    note_first_of_many(path, count_pictures(data))
    return decoded


def _decode_rgb(path: Path, data: bytes) -> ByteImage | None:
    if data.startswith(GIF_SIGNATURES):
        return decode_gif(data)
    if is_heif(data):
        return decode_heif(path, data)
    samples = _decode(data, _ALL_BITS)
    if samples is not None and samples.dtype == np.uint16:
        samples = to_eight_bits(samples, path, _read_samples)
    if samples is None or samples.dtype != np.uint8:
        return None
    return np.asarray(cv2.cvtColor(samples, cv2.COLOR_BGR2RGB), np.uint8)


def _read_samples(path: Path) -> NDArray[AnySample] | None:
    try:
        return _decode(_read_bytes(path, "picture"), _ALL_BITS)
    except (SegppError, OSError):
        return None


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
    entries = [entry for entry in sorted(path.iterdir()) if not entry.name.startswith(".")]
    found = [entry for entry in entries if is_image_name(entry) and not entry.is_dir()]
    note_unread(path, (entry for entry in entries if entry.is_dir() or not is_image_name(entry)))
    if not found:
        raise SegppError(
            f"No pictures in {path}.",
            f"at least one file ending in {', '.join(IMAGE_SUFFIXES)}.",
            "Name the directory that holds the pictures themselves; sub-directories are not searched.",
        )
    return found


def is_image_name(path: Path) -> bool:
    """Tell by the suffix whether a file is a picture that `read_image` can read, with the libraries that are here."""
    suffix = Path(path).suffix.lower()
    return suffix in IMAGE_SUFFIXES and (suffix not in HEIF_SUFFIXES or can_read_heif())


def note_unread(directory: Path, entries: Iterable[Path]) -> None:
    """Take note of what is left out of a directory, but for what file managers leave there."""
    named = [entry for entry in entries if entry.name.lower() not in _IS_UNWANTED]
    note_not_read(directory, named, dict.fromkeys(HEIF_SUFFIXES, INSTALL_HEIF))


def require_image_name(path: Path) -> Path:
    """Return `path` if `write_image` can write a file of that name.

    Raises:
        SegppError: an unknown suffix.
    """
    return require_suffix(path, "picture", WRITTEN_SUFFIXES)


def write_image(path: Path, rgb: ByteImage) -> None:
    """Write uint8 [H, W, 3] RGB, whole or not at all; the suffix chooses the format.

    Raises:
        SegppError: an unknown suffix, or the file system refuses.
    """
    path = require_image_name(path)
    data = _encode(path.suffix.lower(), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    write_bytes(path, data)


def read_labels(path: Path) -> LabelMap:
    """Read a label map exactly as stored: palette indices stay indices and no sample is scaled or converted.

    Returns:
        uint8 [H, W], or uint16 of a 16-bit PNG; each pixel is the sample stored in the PNG.

    Raises:
        SegppError: missing, empty, cut off, not a PNG, or coloured (channels differ).
    """
    path = Path(path)
    data = _read_bytes(path, "PNG label map")
    if not data.startswith(PNG_SIGNATURE):
        raise SegppError(
            f"Label map {path} is not a PNG file.",
            "a PNG with one class index per pixel (other formats may alter the indices).",
            "Convert the label maps to grey or palette PNG without changing their values.",
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
    return require_suffix(path, "label map", (".png",), "lossy formats would alter the indices")


def write_labels(path: Path, labels: LabelMap, classes: ClassTable | None = None) -> None:
    """Write uint8 [H, W] as an 8-bit PNG, uint16 as a 16-bit one; the values stay exact.

    Given `classes`, viewers show the colours of an 8-bit one; PNG knows no palettes of more than 256 entries.

    Raises:
        SegppError: the name does not end in .png, or the file system refuses.
    """
    path = require_labels_name(path)
    if labels.ndim != 2 or labels.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"labels must be uint8 [H, W] or uint16 [H, W], not {labels.dtype} {list(labels.shape)}")
    data = _encode(".png", labels)
    if classes is not None and labels.dtype == np.uint8:
        colours = np.zeros((256, 3), np.uint8)
        colours[: len(classes)] = classes.palette
        data = png_with_palette(data, colours.tobytes())
    write_bytes(path, data)


def _label_samples(path: Path, decoded: NDArray[AnySample], header: PngHeader) -> LabelMap:
    if decoded.ndim == 3:
        first = decoded[..., 0]
        if not (np.array_equal(first, decoded[..., 1]) and np.array_equal(first, decoded[..., 2])):
            raise SegppError(
                f"Label map {path} is a colour picture (its channels differ).",
                "one class index per pixel, as grey or palette PNG.",
                "Convert colours to class indices first, or name the directory with the index maps.",
            )
        decoded = first
    labels: LabelMap = np.ascontiguousarray(decoded, np.uint16 if header.bit_depth == 16 else np.uint8)
    if header.bit_depth < 8:  # decoders stretch 1-, 2- and 4-bit grey to 0 .. 255
        labels //= 255 // ((1 << header.bit_depth) - 1)
    return labels


def _read_bytes(path: Path, kind: str) -> bytes:
    try:
        require_file(path, kind, "Check the path.")
    except SegppError as error:
        raise UnreadableFileError(error.what, error.expected, error.fix) from error
    size_bytes = path.stat().st_size
    if size_bytes > MAX_FILE_BYTES:
        raise UnreadableFileError(
            f"{path} has {size_bytes / 1e9:.1f} GB.",
            f"a {kind} of at most {MAX_FILE_BYTES / 1e9:.1f} GB.",
            "Check that it is the file you mean.",
        )
    return path.read_bytes()


def _decode(data: bytes, flags: int) -> NDArray[AnySample] | None:
    turns_itself = is_webp(data)  # OpenCV turns these from 4.13 on
    with _quiet_decoder():
        try:
            decoded = cv2.imdecode(
                np.frombuffer(data, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION if turns_itself else flags
            )
        except cv2.error:
            return None
    return find_orientation(io.BytesIO(data)).turn(decoded) if turns_itself and decoded is not None else decoded


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
        raise UnreadableFileError(
            f"{path} has {width} x {height} pixels.",
            f"at most {MAX_IMAGE_PIXELS // 1_000_000} million pixels.",
            "Cut it into tiles or scale it down first.",
        )


def _undecoded_error(path: Path, data: bytes) -> UnreadableFileError:
    kind = describe_unsupported(data)
    if kind is None:
        return _damaged_error(path, "no decoder can read it")
    return UnreadableFileError(
        f"{path} is {kind}, which is not supported.",
        f"a {_FORMATS} file with 8 or 16 bits a sample.",
        _how_to_convert(path, data),
    )


def _how_to_convert(path: Path, data: bytes) -> str:
    """Return a command that makes a PNG of a picture; of samples that OpenCV can read, one with Python."""
    target = path.with_suffix(".png")
    samples = _decode(data, cv2.IMREAD_UNCHANGED)
    if samples is None:
        return f"magick {shlex.quote(f'{path}[0]')} {shlex.quote(str(target))} (ImageMagick), or another converter"
    largest = float(np.nanmax(samples, initial=0))
    scale = f" * {255 / largest:.4g}" if largest > 255 else " * 255" if largest <= 1 else ""
    program = f"import cv2; cv2.imwrite({str(target)!r}, cv2.imread({str(path)!r}, -1){scale})"
    return f"python -c {shlex.quote(program)}"


def _damaged_error(path: Path, reason: str) -> UnreadableFileError:
    return UnreadableFileError(
        f"{path} is not a readable image: {reason}.",
        f"a whole {_FORMATS} file.",
        "Copy or download the file again, or leave it out.",
    )
