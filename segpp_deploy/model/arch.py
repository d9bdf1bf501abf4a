"""The MiT backbones B0 to B5 as tables of numbers."""

from __future__ import annotations

from dataclasses import dataclass

from segpp_deploy.config import Arch

HEADS = (1, 2, 5, 8)
SPATIAL_REDUCTION = (8, 4, 2, 1)
PATCH_KERNEL = (7, 3, 3, 3)
PATCH_STRIDE = (4, 2, 2, 2)
MLP_RATIO = 4


@dataclass(frozen=True)
class ArchSpec:
    """What differs between backbones: layers and channels per stage."""

    depths: tuple[int, int, int, int]
    widths: tuple[int, int, int, int]


@dataclass(frozen=True)
class LayerNormEps:
    """What the encoder's layer norms add to the variance; the published implementations differ, so weights decide.

    Args:
        blocks: before attention and feed-forward, and at the end of a stage.
        embeddings: after the patch embedding, and after the spatial reduction of keys and values.
    """

    blocks: float = 1e-6
    embeddings: float = 1e-6


ARCH_SPECS: dict[Arch, ArchSpec] = {
    Arch.B0: ArchSpec((2, 2, 2, 2), (32, 64, 160, 256)),
    Arch.B1: ArchSpec((2, 2, 2, 2), (64, 128, 320, 512)),
    Arch.B2: ArchSpec((3, 4, 6, 3), (64, 128, 320, 512)),
    Arch.B3: ArchSpec((3, 4, 18, 3), (64, 128, 320, 512)),
    Arch.B4: ArchSpec((3, 8, 27, 3), (64, 128, 320, 512)),
    Arch.B5: ArchSpec((3, 6, 40, 3), (64, 128, 320, 512)),
}


def stage_grids(height: int, width: int) -> list[tuple[int, int]]:
    """Token grids (h, w) of the four stages for an image in pixels; each strided convolution rounds up.

    Example:
        >>> stage_grids(360, 480)
        [(90, 120), (45, 60), (23, 30), (12, 15)]
    """
    grids = []
    for stride in PATCH_STRIDE:
        height, width = -(-height // stride), -(-width // stride)
        grids.append((height, width))
    return grids


def reduced_grid(grid_hw: tuple[int, int], reduction: int) -> tuple[int, int]:
    """Token grid after a spatial reduction: kernel = stride = `reduction`, no padding, so it rounds down.

    Example:
        >>> reduced_grid((90, 120), 8)
        (11, 15)
    """
    return (grid_hw[0] // reduction, grid_hw[1] // reduction) if reduction > 1 else grid_hw
