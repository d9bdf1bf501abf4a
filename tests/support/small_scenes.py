"""A few procedural scenes in files, small, as a data set."""

from __future__ import annotations

from pathlib import Path

from segpp_deploy.config import Size
from segpp_deploy.data.images import write_image, write_labels
from segpp_deploy.data.scenes import SCENE_CLASSES, generate_scene


def write_scenes(folder: Path, count: int, size: Size) -> str:
    """Draw scenes into a folder and return the data set's name."""
    for seed in range(count):
        scene = generate_scene(seed, size)
        write_image(folder / f"images/{seed}.png", scene.image)
        write_labels(folder / f"labels/{seed}.png", scene.labels, SCENE_CLASSES)
    return f"folder:{folder}"
