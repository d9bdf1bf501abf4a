"""Accuracy of a torch model on generated scenes, in every merge mode."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from segpp_deploy.config import Normalization, Preset
from segpp_deploy.data.scenes import DEFAULT_SCENE_SIZE, SCENE_CLASSES, Scene, generate_scene
from segpp_deploy.model.plan import PRESETS
from segpp_deploy.model.segformer import SegFormer

Counts = NDArray[np.int64]


@torch.inference_mode()
def count_confusions(model: SegFormer, seeds: Iterable[int], modes: Sequence[Preset]) -> dict[Preset, Counts]:
    """Return a confusion matrix (rows: truth) over all pixels of the scenes, per mode."""
    size = len(SCENE_CLASSES)
    confusions = {mode: np.zeros((size, size), np.int64) for mode in modes}
    for seed in seeds:
        scene = generate_scene(seed, DEFAULT_SCENE_SIZE)
        for mode, confusion in confusions.items():
            model.plan = PRESETS[mode]
            cells = scene.labels.astype(np.int64).ravel() * size + _predict(model, scene).ravel()
            confusion += np.bincount(cells, minlength=size * size).reshape(size, size)
    return confusions


def iou_percent(confusion: Counts) -> NDArray[np.float64]:
    """Intersection over union per class, in percent."""
    hits = np.diag(confusion)
    return np.asarray(100 * hits / np.maximum(confusion.sum(0) + confusion.sum(1) - hits, 1), np.float64)


def _predict(model: SegFormer, scene: Scene) -> Counts:
    values = Normalization()
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (values.mean, values.std))
    image = (torch.from_numpy(scene.image).permute(2, 0, 1)[None].float() - mean) / std
    logits = F.interpolate(model(image), size=scene.labels.shape, mode="bilinear", align_corners=False)
    return np.asarray(logits.argmax(1)[0].numpy(), np.int64)
