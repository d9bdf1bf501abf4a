"""Procedural street scenes with exact labels, and people with exact keypoints: data that any machine can make."""

from segpp_deploy.data.scenes.classes import SCENE_CLASSES, SceneClass
from segpp_deploy.data.scenes.crowd import MOST_PEOPLE
from segpp_deploy.data.scenes.generator import (
    DEFAULT_SCENE_SIZE,
    HELD_OUT_SEED,
    Scene,
    generate_scene,
)
from segpp_deploy.data.scenes.people_pictures import (
    DEFAULT_PEOPLE_SIZE,
    PeoplePicture,
    PlacedPerson,
    generate_people,
    place_people,
)

__all__ = [
    "DEFAULT_PEOPLE_SIZE",
    "DEFAULT_SCENE_SIZE",
    "HELD_OUT_SEED",
    "MOST_PEOPLE",
    "SCENE_CLASSES",
    "PeoplePicture",
    "PlacedPerson",
    "Scene",
    "SceneClass",
    "generate_people",
    "generate_scene",
    "place_people",
]
