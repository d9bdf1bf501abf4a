"""CamVid in one file of about 40 MB, to train on a machine that has nothing else of it.

    python models/training/packed_camvid.py camvid runs/camvid.npz

where `camvid` is the folder of images/ and labels/. Pictures are packed as JPEG of quality 95 with full colour
resolution, labels as PNG with 255 where a pixel is to be ignored.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from segpp_deploy.files import atomic_path

SPLITS = ("train", "val")
JPEG_OPTIONS = (
    cv2.IMWRITE_JPEG_QUALITY,
    95,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
)

Encoded = NDArray[np.uint8]


@dataclass(frozen=True)
class Frames:
    """A split on one device: images uint8 [N, 3, H, W], labels uint8 [N, H, W]."""

    images: torch.Tensor
    labels: torch.Tensor


def pack(root: Path, target: Path) -> None:
    """Write all frames of CamVid in `root` to one file.

    Raises:
        SegppError: the folder is not CamVid.
    """
    from segpp_deploy.data.datasets.camvid import CAMVID_CLASSES
    from segpp_deploy.data.datasets.registry import parse_dataset

    entries: dict[str, Encoded] = {}
    for split in SPLITS:
        for sample in parse_dataset(f"camvid:{root}#{split}"):
            example = sample.load(len(CAMVID_CLASSES))
            bgr = np.ascontiguousarray(example.image[..., ::-1])
            entries[f"{split}/image/{sample.name}"] = _encode(".jpg", bgr, JPEG_OPTIONS)
            entries[f"{split}/label/{sample.name}"] = _encode(".png", np.asarray(example.target))
    with atomic_path(target) as temporary:
        np.savez(temporary, **entries)  # type: ignore[arg-type]


def load(path: Path, split: str, device: torch.device) -> Frames:
    """Return a split, decoded, on `device`."""
    with np.load(path) as packed:
        images = _decode_all(packed, f"{split}/image/", cv2.IMREAD_COLOR)
        labels = _decode_all(packed, f"{split}/label/", cv2.IMREAD_UNCHANGED)
    rgb = images.flip(3).permute(0, 3, 1, 2)
    return Frames(rgb.to(device), labels.to(device))


def _encode(suffix: str, pixels: NDArray[np.uint8], options: Iterable[int] = ()) -> Encoded:
    done, encoded = cv2.imencode(suffix, pixels, list(options))
    assert done
    return np.asarray(encoded, np.uint8)


def _decode_all(packed: np.lib.npyio.NpzFile, prefix: str, flags: int) -> torch.Tensor:
    pixels = [cv2.imdecode(packed[name], flags) for name in packed.files if name.startswith(prefix)]
    return torch.from_numpy(np.stack([np.asarray(one, np.uint8) for one in pixels]))


def main() -> None:
    """Parse the command line and pack."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="folder of CamVid's images/ and labels/")
    parser.add_argument("target", type=Path, help="the .npz file to write")
    options = parser.parse_args()
    pack(options.root, options.target)


if __name__ == "__main__":
    main()
