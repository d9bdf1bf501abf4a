"""An articulated person: who stands where, in which posture, dressed how."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import cached_property

import numpy as np

from segpp_deploy.data.scenes.canvas import Colour
from segpp_deploy.data.scenes.clothing import HAIRS, SKINS, sample_cloth
from segpp_deploy.data.scenes.postures import Posture, sample_posture
from segpp_deploy.data.scenes.skeleton import Skeleton, pose_skeleton


class Garment(Enum):
    """What hangs over the thighs."""

    NONE = auto()
    SKIRT = auto()
    COAT = auto()


@dataclass(frozen=True)
class Look:
    """Build and clothes; `build` widens limbs and torso."""

    build: float
    skin: Colour
    hair: Colour
    top: Colour
    trousers: Colour
    shoes: Colour
    accent: Colour
    garment: Garment
    short_sleeves: bool
    shorts: bool
    long_hair: bool
    backpack: bool


@dataclass(frozen=True)
class Figure:
    """A person on the ground; `heading_rad` is 0 where it faces the camera, pi / 2 where it faces right."""

    x_m: float
    z_m: float
    height_m: float
    heading_rad: float
    posture: Posture
    look: Look

    @cached_property
    def skeleton(self) -> Skeleton:
        """Its points in metres."""
        return pose_skeleton(self.posture, self.height_m, self.heading_rad, np.array((self.x_m, 0.0, self.z_m)))

    def mirrored(self) -> Figure:
        """Return the figure that a mirror beside the street shows."""
        return replace(self, x_m=-self.x_m, heading_rad=-self.heading_rad, posture=self.posture.mirrored())


def sample_height_m(rng: np.random.Generator) -> float:
    """Draw how tall a person is; some are children."""
    return float(rng.uniform(1.1, 1.45) if rng.random() < 0.12 else rng.uniform(1.52, 1.95))


def sample_heading_rad(rng: np.random.Generator) -> float:
    """Draw where a figure faces: all ways, the camera most often."""
    return float(rng.normal(0, 0.6) if rng.random() < 0.4 else rng.uniform(-np.pi, np.pi))


def sample_figure(rng: np.random.Generator, x_m: float, z_m: float, height_m: float) -> Figure:
    """Draw a figure for a place."""
    return Figure(x_m, z_m, height_m, sample_heading_rad(rng), sample_posture(rng), _sample_look(rng))


def _sample_look(rng: np.random.Generator) -> Look:
    garments = (Garment.NONE, Garment.SKIRT, Garment.COAT)
    garment = garments[int(rng.choice(3, p=(0.72, 0.12, 0.16)))]
    return Look(
        build=float(rng.uniform(0.85, 1.25)),
        skin=SKINS[int(rng.integers(len(SKINS)))],
        hair=HAIRS[int(rng.integers(len(HAIRS)))],
        top=sample_cloth(rng),
        trousers=sample_cloth(rng, dark=bool(rng.random() < 0.7)),
        shoes=sample_cloth(rng, dark=bool(rng.random() < 0.75)),
        accent=sample_cloth(rng),
        garment=garment,
        short_sleeves=bool(rng.random() < 0.4) and garment is not Garment.COAT,
        shorts=bool(rng.random() < 0.2) or garment is Garment.SKIRT,
        long_hair=bool(rng.random() < 0.35),
        backpack=bool(rng.random() < 0.2),
    )
