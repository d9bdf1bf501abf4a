"""What a scene's labels mean."""

from __future__ import annotations

from enum import IntEnum

from segpp_deploy.config import ClassTable


class SceneClass(IntEnum):
    """The label values of a generated scene."""

    ROAD = 0
    LANE_MARKING = 1
    PAVEMENT = 2
    BUILDING = 3
    VEGETATION = 4
    SKY = 5
    CAR = 6
    PERSON = 7
    POLE = 8
    TRAFFIC_SIGN = 9


_PALETTE: dict[SceneClass, tuple[int, int, int]] = {
    SceneClass.ROAD: (128, 64, 128),
    SceneClass.LANE_MARKING: (240, 240, 240),
    SceneClass.PAVEMENT: (244, 35, 232),
    SceneClass.BUILDING: (90, 90, 100),
    SceneClass.VEGETATION: (107, 142, 35),
    SceneClass.SKY: (70, 130, 180),
    SceneClass.CAR: (0, 0, 190),
    SceneClass.PERSON: (220, 20, 60),
    SceneClass.POLE: (250, 170, 30),
    SceneClass.TRAFFIC_SIGN: (220, 220, 0),
}

SCENE_CLASSES = ClassTable(
    names=tuple(member.name.lower().replace("_", " ") for member in SceneClass),
    palette=tuple(_PALETTE[member] for member in SceneClass),
)
"""Names and RGB colours by label value."""
