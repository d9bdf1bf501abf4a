"""Sun, sky light, weather: what gives a surface its colour before the camera sees it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

import numpy as np

from segpp_deploy.data.scenes.canvas import Colour

Vector = tuple[float, float, float]


class Weather(Enum):
    """The kinds of light a scene can have."""

    SUNNY = auto()
    OVERCAST = auto()
    DUSK = auto()
    FOG = auto()


@dataclass(frozen=True)
class Light:
    """All light of a scene; colours are RGB factors, 1 = leaves the surface colour alone.

    Args:
        weather: the kind of light.
        to_sun: unit vector from the ground to the sun (x right, y up, z forward).
        sun: direct light.
        ambient: light from everywhere.
        zenith: sky colour overhead, 0 .. 255.
        horizon: sky colour at the horizon, also the colour of haze, 0 .. 255.
        cloud_cover: 0 (none) .. 1 (closed).
        haze_per_m: how fast haze takes over with distance.
    """

    weather: Weather
    to_sun: Vector
    sun: Colour
    ambient: Colour
    zenith: Colour
    horizon: Colour
    cloud_cover: float
    haze_per_m: float

    def shade(self, colour: Colour, normal: Vector) -> Colour:
        """Colour of a matt surface (0 .. 255) whose outward normal is `normal`."""
        facing = max(0.0, sum(a * b for a, b in zip(normal, self.to_sun, strict=True)))
        skyward = 0.8 + 0.2 * normal[1]
        red, green, blue = (
            c * (a * skyward + s * facing) for c, a, s in zip(colour, self.ambient, self.sun, strict=True)
        )
        return red, green, blue

    @property
    def shadow_strength(self) -> float:
        """Share of the ground's light that a cast shadow takes away."""
        direct = sum(self.sun) * self.to_sun[1]
        return direct / (direct + sum(self.ambient))

    @property
    def lamps_on(self) -> bool:
        """Whether windows, street lamps and headlights shine."""
        return self.weather is Weather.DUSK


def sample_light(rng: np.random.Generator) -> Light:
    """Draw a light: half of the scenes are sunny."""
    kinds = (Weather.SUNNY, Weather.OVERCAST, Weather.DUSK, Weather.FOG)
    weather = kinds[int(rng.choice(4, p=(0.5, 0.22, 0.16, 0.12)))]
    azimuth = rng.uniform(0, 2 * np.pi)
    low = weather is Weather.DUSK
    elevation = np.deg2rad(rng.uniform(6, 14) if low else rng.uniform(22, 62))
    to_sun = (
        float(np.cos(elevation) * np.sin(azimuth)),
        float(np.sin(elevation)),
        float(np.cos(elevation) * np.cos(azimuth)),
    )
    warmth = rng.uniform(-0.05, 0.12)
    if weather is Weather.SUNNY:
        return _sunny(rng, to_sun, warmth)
    if weather is Weather.DUSK:
        return _dusk(rng, to_sun)
    level = rng.uniform(0.72, 1.0)
    grey = rng.uniform(165, 225)
    horizon = (grey, grey * 1.01, grey * 1.03)
    fog = weather is Weather.FOG
    return Light(
        weather,
        to_sun,
        sun=_scaled((1, 1, 1), 0.03 if fog else 0.12),
        ambient=(level, level * 1.01, level * 1.04),
        zenith=_scaled(horizon, 0.98 if fog else rng.uniform(0.75, 0.95)),
        horizon=horizon,
        cloud_cover=1.0,
        haze_per_m=float(rng.uniform(0.012, 0.032) if fog else rng.uniform(0.001, 0.004)),
    )


def _sunny(rng: np.random.Generator, to_sun: Vector, warmth: float) -> Light:
    depth = rng.uniform(0.6, 1.0)
    ambient = rng.uniform(0.42, 0.6)
    return Light(
        Weather.SUNNY,
        to_sun,
        sun=_scaled((1 + warmth, 1.0, 1 - warmth), rng.uniform(0.6, 0.85)),
        ambient=(ambient * 0.94, ambient, ambient * 1.1),
        zenith=_scaled((78, 130, 205), depth),
        horizon=_scaled((205, 222, 238), rng.uniform(0.88, 1.0)),
        cloud_cover=float(rng.uniform(0, 0.75)),
        haze_per_m=float(rng.uniform(0.0005, 0.004)),
    )


def _dusk(rng: np.random.Generator, to_sun: Vector) -> Light:
    level = rng.uniform(0.3, 0.52)
    glow = rng.uniform(0.4, 1.0)
    return Light(
        Weather.DUSK,
        to_sun,
        sun=_scaled((1.2, 0.75, 0.45), rng.uniform(0.1, 0.45)),
        ambient=(level * 0.95, level * 0.95, level * 1.2),
        zenith=_scaled((62, 76, 128), rng.uniform(0.7, 1.2)),
        horizon=(150 + 80 * glow, 140 + 20 * glow, 150 - 50 * glow),
        cloud_cover=float(rng.uniform(0.1, 0.8)),
        haze_per_m=float(rng.uniform(0.001, 0.005)),
    )


def _scaled(colour: Colour, factor: float) -> Colour:
    return colour[0] * factor, colour[1] * factor, colour[2] * factor
