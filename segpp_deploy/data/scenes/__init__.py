"""Procedural street scenes with exact labels: data that any machine can make."""

from segpp_deploy.data.scenes.classes import SCENE_CLASSES, SceneClass
from segpp_deploy.data.scenes.generator import (
    DEFAULT_SCENE_SIZE,
    HELD_OUT_SEED,
    Scene,
    generate_scene,
)

__all__ = ["DEFAULT_SCENE_SIZE", "HELD_OUT_SEED", "SCENE_CLASSES", "Scene", "SceneClass", "generate_scene"]
