"""The street's plan seen from above: a curved carriageway with lanes, kerbs, pavements and perhaps a crossing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

import numpy as np

from segpp_deploy.data.scenes.camera import Points
from segpp_deploy.data.scenes.canvas import Colour


class Frontage(Enum):
    """What stands along one side of the street."""

    HOUSES = auto()
    PARK = auto()


@dataclass(frozen=True)
class Side:
    """One side of the street: `sign` is -1 on the left, +1 on the right."""

    sign: int
    frontage: Frontage
    verge_m: float
    pavement_m: float


@dataclass(frozen=True)
class Junction:
    """A side street that crosses between two distances, with an optional zebra crossing before it."""

    start_m: float
    end_m: float


@dataclass(frozen=True)
class Paint:
    """Which lane markings there are."""

    centre_dash_m: float
    centre_double: bool
    edge_lines: bool
    width_m: float
    zebra_start_m: float | None
    colour: Colour


@dataclass(frozen=True)
class Street:
    """The plan. Lateral distances are measured from the centre line, to the right.

    Args:
        start_x_m: the centre line's x beside the camera.
        heading: its slope dx/dz there.
        bend_per_m: how fast the slope changes.
        half_width_m: half of the carriageway.
        lanes: number of lanes.
        left, right: the two sides.
        junction: a side street, if any.
        paint: lane markings.
    """

    start_x_m: float
    heading: float
    bend_per_m: float
    half_width_m: float
    lanes: int
    left: Side
    right: Side
    junction: Junction | None
    paint: Paint

    def centre_x_m(self, z_m: float) -> float:
        """The centre line's x at a distance."""
        return self.start_x_m + self.heading * z_m + 0.5 * self.bend_per_m * z_m * z_m

    def heading_at(self, z_m: float) -> float:
        """The centre line's slope dx/dz at a distance."""
        return self.heading + self.bend_per_m * z_m

    def front_line_m(self, side: Side) -> float:
        """Lateral distance (signed) at which pavement ends and houses or park begin."""
        return side.sign * (self.half_width_m + side.verge_m + side.pavement_m)

    def at(self, lateral_m: float, height_m: float, z_m: float) -> tuple[float, float, float]:
        """World point at a lateral distance from the centre line."""
        return self.centre_x_m(z_m) + lateral_m, height_m, z_m

    def points(self, *places: tuple[float, float, float]) -> Points:
        """World points [N, 3] from (lateral, height, z) triples."""
        return np.array([self.at(*place) for place in places], dtype=np.float64)

    def is_clear_of_junction(self, start_m: float, end_m: float) -> bool:
        """Whether a stretch does not touch the side street."""
        return self.junction is None or end_m <= self.junction.start_m or start_m >= self.junction.end_m


def sample_street(rng: np.random.Generator) -> Street:
    """Draw a street plan."""
    lanes = int(rng.choice((2, 2, 3, 4)))
    half_width = lanes * rng.uniform(2.9, 3.5) / 2 + rng.uniform(0.3, 2.2)  # room for parked cars
    own_lane = rng.uniform(0.2, 0.55) * half_width
    junction = None
    if rng.random() < 0.45:
        start = float(rng.uniform(14, 50))
        junction = Junction(start, start + float(rng.uniform(7, 12)))
    zebra = None
    if rng.random() < 0.45:
        zebra = junction.start_m - 5.0 if junction else float(rng.uniform(9, 30))
    yellow = rng.random() < 0.15
    paint = Paint(
        centre_dash_m=float(rng.choice((0.0, 3.0, 4.0, 6.0))),
        centre_double=bool(rng.random() < 0.2),
        edge_lines=bool(rng.random() < 0.55),
        width_m=float(rng.uniform(0.14, 0.24)),
        zebra_start_m=zebra,
        colour=(215.0, 180.0, 70.0) if yellow else (222.0, 222.0, 216.0),
    )
    return Street(
        start_x_m=-float(own_lane if rng.random() < 0.85 else rng.uniform(-1, 1) * half_width),
        heading=float(rng.normal(0, 0.06)),
        bend_per_m=float(rng.normal(0, 0.0028)),
        half_width_m=float(half_width),
        lanes=lanes,
        left=_sample_side(rng, -1),
        right=_sample_side(rng, 1),
        junction=junction,
        paint=paint,
    )


def _sample_side(rng: np.random.Generator, sign: int) -> Side:
    return Side(
        sign,
        Frontage.PARK if rng.random() < 0.25 else Frontage.HOUSES,
        verge_m=float(rng.uniform(0.8, 2.5)) if rng.random() < 0.3 else 0.0,
        pavement_m=float(rng.uniform(1.8, 4.5)),
    )
