"""Accuracy of a torch model on generated scenes, in every merge mode."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from confusion import Counts, count_confusion
from network import normalise

from segpp_deploy.config import Preset
from segpp_deploy.data.scenes import DEFAULT_SCENE_SIZE, SCENE_CLASSES, Scene, generate_scene
from segpp_deploy.model.plan import PRESETS
from segpp_deploy.model.segformer import SegFormer


@torch.inference_mode()
def count_confusions(model: SegFormer, seeds: Iterable[int], modes: Sequence[Preset]) -> dict[Preset, Counts]:
    """Return a confusion matrix (rows: truth) over all pixels of the scenes, per mode."""
    size = len(SCENE_CLASSES)
    confusions = {mode: np.zeros((size, size), np.int64) for mode in modes}
    for seed in seeds:
        scene = generate_scene(seed, DEFAULT_SCENE_SIZE)
        for mode, confusion in confusions.items():
            model.plan = PRESETS[mode]
            confusion += count_confusion(torch.from_numpy(scene.labels), _predict(model, scene), size)
    return confusions


def _predict(model: SegFormer, scene: Scene) -> torch.Tensor:
    image = normalise(torch.from_numpy(scene.image).permute(2, 0, 1)[None])
    logits = F.interpolate(model(image), size=scene.labels.shape, mode="bilinear", align_corners=False)
    return logits.argmax(1)[0]
