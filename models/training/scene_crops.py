"""Training batches: random crops of cached scenes, drawn anew but repeatably for every step."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from network import normalise
from numpy.typing import NDArray
from scene_cache import SceneCache

SCALE_RANGE = (0.7, 1.7)


@dataclass(frozen=True)
class Stage:
    """Some steps with crops of one size; each stage has a warm-up and a cosine of its own."""

    steps: int
    crop_height: int
    crop_width: int
    batch_per_process: int
    peak_rate: float


@dataclass(frozen=True)
class Recipe:
    """What decides the weights, together with the code.

    Small crops learn most for their time. The last stage shows the model larger ones, because the number of keys that
    attention spreads over grows with the image, and the model is used at 512x1024.
    """

    scenes: int = 1000
    stages: tuple[Stage, ...] = (Stage(2600, 256, 256, 4, 1e-3), Stage(800, 384, 640, 1, 4e-4))
    weight_decay: float = 0.01
    seed: int = 0

    @property
    def steps(self) -> int:
        """Steps of all stages."""
        return sum(stage.steps for stage in self.stages)

    def stage_at(self, step: int) -> tuple[Stage, int]:
        """Return the stage that a step belongs to, and how many of its steps came before."""
        for stage in self.stages:
            if step < stage.steps:
                return stage, step
            step -= stage.steps
        return self.stages[-1], self.stages[-1].steps


def make_batch(cache: SceneCache, recipe: Recipe, step: int, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a process's crops of a step: images float32 [B, 3, h, w] normalised, labels int64 [B, h, w]."""
    rng = np.random.default_rng([recipe.seed, step, rank])
    stage, _ = recipe.stage_at(step)
    pairs = [_augment(cache, stage, rng) for _ in range(stage.batch_per_process)]
    images = np.stack([image for image, _ in pairs])
    labels = np.stack([label for _, label in pairs])
    return normalise(torch.from_numpy(images).permute(0, 3, 1, 2)), torch.from_numpy(labels.astype(np.int64))


def _augment(cache: SceneCache, stage: Stage, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Cut a random crop at a random scale out of a random scene, mirror it, change its colours."""
    index = int(rng.integers(len(cache)))
    height, width = cache.labels.shape[1:]
    scale = float(np.exp(rng.uniform(*np.log(SCALE_RANGE))))
    tall, wide = min(height, round(stage.crop_height / scale)), min(width, round(stage.crop_width / scale))
    top, left = int(rng.integers(height - tall + 1)), int(rng.integers(width - wide + 1))
    region = (index, slice(top, top + tall), slice(left, left + wide))
    image, label = np.array(cache.images[region]), np.array(cache.labels[region])
    if rng.random() < 0.5:
        image, label = image[:, ::-1], label[:, ::-1]
    crop = (stage.crop_width, stage.crop_height)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    resized = cv2.resize(np.ascontiguousarray(image), crop, interpolation=how)
    label = np.asarray(cv2.resize(np.ascontiguousarray(label), crop, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
    return np.asarray(cv2.LUT(resized, colour_table(rng)), np.uint8), label


def colour_table(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw a brightness, white balance and contrast as one [256, 1, 3] table."""
    gain = np.exp(rng.normal(0, 0.12)) * (1 + rng.normal(0, 0.03, 3))
    table = np.clip((np.arange(256)[:, None] - 128) * np.exp(rng.normal(0, 0.1)) + 128, 0, 255) * gain
    return np.asarray(np.clip(table, 0, 255)[:, None, :], np.uint8)


def batches(
    cache: SceneCache, recipe: Recipe, first_step: int, rank: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield the batches of the steps from `first_step`, preparing the next one meanwhile."""
    with ThreadPoolExecutor(1) as thread:
        upcoming = thread.submit(make_batch, cache, recipe, first_step, rank)
        for step in range(first_step, recipe.steps):
            ready = upcoming.result()
            upcoming = thread.submit(make_batch, cache, recipe, step + 1, rank)
            yield ready
