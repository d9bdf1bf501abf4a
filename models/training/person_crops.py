"""Training batches of people: jittered boxes, mirrored crops, changed colours, and the heatmaps they should give."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from network import normalise
from numpy.typing import NDArray
from people_cache import CachedPerson, PeopleCache
from scene_crops import colour_table

from segpp_deploy.config import Size
from segpp_deploy.data.datasets.coco_keypoints import COCO_RELATIONS
from segpp_deploy.data.geometry.crop import Crop

STRIDE = 4
SHIFT_SPREAD, SCALE_RANGE = 0.03, (0.85, 1.2)
"""How far boxes are off, as shares of the crop."""


def sigma_of(size: Size) -> float:
    """The deviation of a keypoint's Gaussian in cells: 2 for crops 192 wide, less for smaller ones."""
    return max(1.25, size.width / 96)


@dataclass(frozen=True)
class Batch:
    """Crops float32 [B, 3, H, W], normalised; heatmaps float32 [B, K, H/4, W/4]; is_judged float32 [B, K]."""

    images: torch.Tensor
    heatmaps: torch.Tensor
    is_judged: torch.Tensor


def make_batch(cache: PeopleCache, size: Size, count: int, rng: np.random.Generator, device: torch.device) -> Batch:
    """Draw people and return them as the network is to see them."""
    chosen = [_augment(cache[int(index)], size, rng) for index in rng.integers(len(cache), size=count)]
    images = torch.from_numpy(np.stack([image for image, _, _ in chosen])).to(device)
    points = torch.from_numpy(np.stack([points for _, points, _ in chosen])).to(device)
    labelled = torch.from_numpy(np.stack([labelled for _, _, labelled in chosen])).to(device)
    heatmaps, is_near = encode_heatmaps(points, size)
    images = normalise(images.permute(0, 3, 1, 2)).contiguous(memory_format=torch.channels_last)
    return Batch(images, heatmaps, (labelled & is_near).float())


def encode_heatmaps(points: torch.Tensor, size: Size) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a Gaussian of height 1 around each point, and whether any of it lies in the heatmap.

    As mmpose's MSRA codec: the middle is the nearest cell, and beyond three deviations there is nothing.

    Args:
        points: float32 [B, K, 2], x and y in pixels of the crop.
        size: of the crop.

    Returns:
        float32 [B, K, H/4, W/4] and bool [B, K].
    """
    wide, tall, sigma = size.width // STRIDE, size.height // STRIDE, sigma_of(size)
    reach = 3 * sigma
    middle = (points / STRIDE + 0.5).floor()
    columns = torch.arange(wide, device=points.device) - middle[..., :1]
    rows = torch.arange(tall, device=points.device) - middle[..., 1:]
    along_x, along_y = (
        torch.where(offset.abs() <= reach, (-offset.square() / (2 * sigma**2)).exp(), 0.0) for offset in (columns, rows)
    )
    limits = torch.tensor((wide, tall), device=points.device)
    is_near = ((middle + reach >= 0) & (middle - reach < limits)).all(-1)
    return along_y[..., :, None] * along_x[..., None, :], is_near


def to_crop(crop: Crop, points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return points [K, 2] of the picture in pixels of the crop, as `Crop.cut` moves pixels."""
    size = np.array([crop.size.width, crop.size.height], np.float32)
    centre, extent = np.array(crop.centre_xy, np.float32), np.array(crop.extent_xy, np.float32)
    return np.asarray((points - centre) * size / extent + size / 2, np.float32)


def _augment(
    person: CachedPerson, size: Size, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.bool_]]:
    """Return a crop of the person, the points in it, and which of them are labelled."""
    crop = Crop.around(person.box, size)
    scale = float(np.exp(rng.uniform(*np.log(SCALE_RANGE))))
    shift_x, shift_y = rng.normal(0, SHIFT_SPREAD, 2) * crop.extent_xy
    centre = crop.centre_xy[0] + float(shift_x), crop.centre_xy[1] + float(shift_y)
    crop = Crop(centre, (crop.extent_xy[0] * scale, crop.extent_xy[1] * scale), size)
    image = np.asarray(cv2.LUT(crop.cut(person.image), colour_table(rng)), np.uint8)
    points, labelled = to_crop(crop, person.points), person.is_labelled
    if rng.random() < 0.5:
        order = COCO_RELATIONS.mirrored(len(points))
        image = np.ascontiguousarray(image[:, ::-1])
        points = np.stack([size.width - 1 - points[order, 0], points[order, 1]], axis=1)
        labelled = labelled[order]
    return image, points, labelled
