"""From 16 bits a sample to 8: the upper byte, unless a camera left the upper bits unused."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.data.findings import note_scaled

Samples = NDArray[Any]
ReadSamples = Callable[[Path], Samples | None]

_FULL = 16
_CAMERA_BITS = (8, 10, 12, 14)
_COMPARED_FILES = 8


def to_eight_bits(samples: Samples, path: Path, read_samples: ReadSamples) -> NDArray[np.uint8]:
    """Return the upper eight of the bits that a picture uses.

    A camera of 10, 12 or 14 bits may store its values as they are, in the lower bits of 16. How many bits it has, a
    dark picture alone cannot say: the most that any of a few neighbours uses is taken.

    Args:
        samples: uint16, of the picture `path`.
        path: the file; its neighbours are the files of that suffix in its directory.
        read_samples: reads the samples of another file; None where it cannot.
    """
    bits = bits_used(samples)
    if bits < _FULL and samples.any():
        bits = max(bits, _bits_of_neighbours(path.parent, path.suffix, path.parent.stat().st_mtime_ns, read_samples))
        note_scaled(path, bits)
    return (samples >> (bits - 8)).astype(np.uint8)


def bits_used(samples: Samples) -> int:
    """Return how many lower bits hold the values: one of `_CAMERA_BITS`, or 16.

    Values that were shifted up or stretched to all 16 bits may be small too, in the dark; their lower bits give them
    away: they are all 0, or a copy of the upper ones.
    """
    largest = int(samples.max(initial=0))
    bits = next((bits for bits in _CAMERA_BITS if largest < 1 << bits), _FULL)
    was_shifted = bits == max(_CAMERA_BITS) and not int(np.bitwise_or.reduce(samples, axis=None)) & 3
    was_stretched = largest > 255 and np.array_equal(samples >> 8, samples & 255)
    return _FULL if was_shifted or was_stretched else bits


@lru_cache(maxsize=16)
def _bits_of_neighbours(directory: Path, suffix: str, _changed_ns: int, read_samples: ReadSamples) -> int:
    found = min(_CAMERA_BITS)
    try:
        files = sorted(path for path in directory.iterdir() if path.suffix == suffix and path.is_file())
    except OSError:  # a directory that may be entered but not listed
        return found
    for path in files[:: max(len(files) // _COMPARED_FILES, 1)]:
        samples = read_samples(path)
        if samples is not None and samples.dtype == np.uint16 and (bits := bits_used(samples)) < _FULL:
            found = max(found, bits)
    return found
