"""What stands where: draws a whole scene's contents before any pixel exists, so every size shows the same scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segpp_deploy.config import Size
from segpp_deploy.data.scenes.camera import FAR_M, Camera
from segpp_deploy.data.scenes.cars import Car, sample_car
from segpp_deploy.data.scenes.facades import Building, sample_building
from segpp_deploy.data.scenes.foliage import Tree, sample_leaf_colour, sample_tree
from segpp_deploy.data.scenes.furniture import Post, PostKind, sample_post
from segpp_deploy.data.scenes.ground import GroundLook, sample_ground_look
from segpp_deploy.data.scenes.lighting import Light, sample_light
from segpp_deploy.data.scenes.people import Person, sample_person
from segpp_deploy.data.scenes.street import Frontage, Side, Street, sample_street


@dataclass(frozen=True)
class Lens:
    """The camera without its sensor: focal length and horizon as shares of the picture's height."""

    focal: float
    horizon: float
    height_m: float

    def camera(self, size: Size) -> Camera:
        """The camera for a picture size."""
        return Camera(size, self.focal * size.height, size.width / 2, self.horizon * size.height, self.height_m)


@dataclass(frozen=True)
class Block:
    """A building along the street: lateral front line, two distances, depth away from the street."""

    building: Building
    sign: int
    lateral_m: float
    start_m: float
    end_m: float
    depth_m: float


@dataclass(frozen=True)
class BackdropWall:
    """A building seen frontally at the end of the view."""

    building: Building
    left_m: float
    right_m: float
    z_m: float


@dataclass(frozen=True)
class Layout:
    """Everything in a scene."""

    lens: Lens
    street: Street
    light: Light
    ground: GroundLook
    blocks: tuple[Block, ...]
    backdrop: tuple[BackdropWall, ...]
    trees: tuple[Tree, ...]
    cars: tuple[Car, ...]
    people: tuple[Person, ...]
    posts: tuple[Post, ...]


def sample_layout(rng: np.random.Generator) -> Layout:
    """Draw a scene."""
    lens = Lens(
        focal=float(rng.uniform(0.95, 1.35)),
        horizon=float(rng.uniform(0.36, 0.52)),
        height_m=float(rng.uniform(1.25, 2.1)),
    )
    street = sample_street(rng)
    leaf = sample_leaf_colour(rng)
    return Layout(
        lens,
        street,
        sample_light(rng),
        sample_ground_look(rng),
        blocks=tuple(block for side in (street.left, street.right) for block in _line_with_blocks(rng, street, side)),
        backdrop=tuple(_sample_backdrop(rng)),
        trees=tuple(_plant_trees(rng, street, leaf)),
        cars=tuple(_park_cars(rng, street) + _drive_cars(rng, street)),
        people=tuple(_place_people(rng, street)),
        posts=tuple(_place_posts(rng, street)),
    )


def _line_with_blocks(rng: np.random.Generator, street: Street, side: Side) -> list[Block]:
    """Houses from beside the camera to the end of the view, with gaps and the side street left open."""
    behind_park = side.frontage is Frontage.PARK
    lateral = street.front_line_m(side) + side.sign * (rng.uniform(14, 30) if behind_park else 0.0)
    blocks: list[Block] = []
    start = float(rng.uniform(1.5, 4))
    while start < FAR_M - 10:
        end = start + float(rng.uniform(8, 20))
        junction = street.junction
        if junction is not None and not street.is_clear_of_junction(start - 2.5, end + 2.5):
            start = max(start + 1.0, junction.end_m + 2.5) if end > junction.end_m else start + 1.0
            continue
        setback = side.sign * float(rng.choice((0.0, 0.0, 1.0, 2.5)))
        depth = float(rng.uniform(9, 16))
        blocks.append(Block(sample_building(rng), side.sign, lateral + setback, start, end, depth))
        start = end + (float(rng.uniform(1, 6)) if rng.random() < 0.22 else 0.0)
    return blocks


def _sample_backdrop(rng: np.random.Generator) -> list[BackdropWall]:
    walls = []
    left = -FAR_M * 1.6
    while left < FAR_M * 1.6:
        right = left + float(rng.uniform(10, 28))
        if rng.random() < 0.8:
            walls.append(BackdropWall(sample_building(rng), left, right, FAR_M + float(rng.uniform(2, 60))))
        left = right + float(rng.uniform(-2, 8))
    return walls


def _plant_trees(rng: np.random.Generator, street: Street, leaf: tuple[float, float, float]) -> list[Tree]:
    trees = []
    for side in (street.left, street.right):
        kerb = side.sign * (street.half_width_m + max(0.7, side.verge_m / 2))
        lined = side.verge_m > 0 or rng.random() < 0.35
        z = float(rng.uniform(5, 14))
        spacing = float(rng.uniform(7, 15))
        while lined and z < 90:
            if rng.random() < 0.85 and street.is_clear_of_junction(z - 1, z + 1):
                trees.append(sample_tree(rng, street.centre_x_m(z) + kerb, z, bush=False, leaf=leaf))
            z += spacing
        if side.frontage is Frontage.PARK:
            trees += _plant_park(rng, street, side, leaf)
    for x in rng.uniform(-FAR_M, FAR_M, int(rng.integers(8, 30))):
        z = FAR_M - float(rng.uniform(0, 30))
        if abs(float(x) - street.centre_x_m(z)) > street.half_width_m + 3:
            trees.append(sample_tree(rng, float(x), z, bush=bool(rng.random() < 0.3), leaf=leaf))
    return trees


def _plant_park(rng: np.random.Generator, street: Street, side: Side, leaf: tuple[float, float, float]) -> list[Tree]:
    trees = []
    front = street.front_line_m(side)
    for _ in range(int(rng.integers(10, 26))):
        z = float(rng.uniform(6, 100))
        bush = bool(rng.random() < 0.4)
        away = side.sign * float(rng.uniform(0.8 if bush else 1.5, 13))
        if street.is_clear_of_junction(z - 3, z + 3):
            trees.append(sample_tree(rng, street.centre_x_m(z) + front + away, z, bush, leaf))
    return trees


def _park_cars(rng: np.random.Generator, street: Street) -> list[Car]:
    cars: list[Car] = []
    for side in (street.left, street.right):
        if rng.random() < 0.35:
            continue
        lateral = side.sign * (street.half_width_m - 1.1)
        z = float(rng.uniform(6, 16))
        while z < 85:
            free = street.is_clear_of_junction(z - 4, z + 4) and _off_zebra(street, z)
            if free and rng.random() < 0.6:
                turned = np.pi if (side.sign < 0) != (rng.random() < 0.2) else 0.0
                heading = float(np.arctan(street.heading_at(z)) + turned + rng.normal(0, 0.03))
                cars.append(sample_car(rng, street.centre_x_m(z) + lateral, z, heading))
            z += float(rng.uniform(5.6, 7.5))
    return cars


def _drive_cars(rng: np.random.Generator, street: Street) -> list[Car]:
    cars: list[Car] = []
    for sign in (-1, 1):
        z = float(rng.uniform(9, 35))
        while z < 110:
            if rng.random() < 0.6 and _off_zebra(street, z):
                lateral = sign * float(rng.uniform(0.25, 0.42)) * street.half_width_m
                heading = np.arctan(street.heading_at(z)) + (np.pi if sign < 0 else 0.0) + rng.normal(0, 0.05)
                cars.append(sample_car(rng, street.centre_x_m(z) + lateral, z, float(heading)))
            z += float(rng.uniform(9, 28))
    if street.junction is not None and rng.random() < 0.6:
        z = (street.junction.start_m + street.junction.end_m) / 2 + float(rng.uniform(-1.5, 1.5))
        x = street.centre_x_m(z) + float(rng.uniform(-14, 14))
        cars.append(sample_car(rng, x, z, float(rng.choice((-1, 1)) * (np.pi / 2 + rng.normal(0, 0.35)))))
    return _without_overlaps(cars)


def _without_overlaps(cars: list[Car]) -> list[Car]:
    kept: list[Car] = []
    for car in cars:
        if all(np.hypot(car.x_m - other.x_m, car.z_m - other.z_m) > 5.5 for other in kept):
            kept.append(car)
    return kept


def _off_zebra(street: Street, z_m: float) -> bool:
    zebra = street.paint.zebra_start_m
    return zebra is None or abs(z_m - zebra - 1.6) > 5.0


def _place_people(rng: np.random.Generator, street: Street) -> list[Person]:
    people = []
    for side in (street.left, street.right):
        for _ in range(int(rng.poisson(4.0))):
            z = float(rng.uniform(4.5, 45))
            across = side.verge_m + float(rng.uniform(0.3, 0.95)) * side.pavement_m
            lateral = side.sign * (street.half_width_m + across)
            for partner in range(1 + int(rng.random() < 0.3)):
                x = street.centre_x_m(z) + lateral + 0.62 * partner
                people.append(sample_person(rng, x, z + 0.2 * partner))
    if street.paint.zebra_start_m is not None:
        for _ in range(int(rng.integers(0, 5))):
            z = street.paint.zebra_start_m + float(rng.uniform(0.3, 2.9))
            x = street.centre_x_m(z) + float(rng.uniform(-1, 1)) * street.half_width_m
            people.append(sample_person(rng, x, z))
    return people


def _place_posts(rng: np.random.Generator, street: Street) -> list[Post]:
    posts: list[Post] = []
    spacing, start = float(rng.uniform(16, 28)), float(rng.uniform(6, 18))
    for side in (street.left, street.right):

        def add(kind: PostKind, z: float, away: float, side: Side = side) -> None:
            x = street.centre_x_m(z) + side.sign * (street.half_width_m + away)
            posts.append(sample_post(rng, kind, x, z, -side.sign))

        if rng.random() < 0.7:
            for z in np.arange(start + (spacing / 2 if side.sign > 0 else 0), 100, spacing):
                if street.is_clear_of_junction(float(z), float(z)):
                    add(PostKind.LAMP, float(z), 0.5)
        for _ in range(int(rng.poisson(2.4))):
            add(PostKind.SIGN, float(rng.uniform(5, 40)), float(rng.uniform(0.4, 0.8)))
        if rng.random() < 0.15:
            for z in np.arange(float(rng.uniform(5, 9)), float(rng.uniform(15, 35)), 1.8):
                add(PostKind.BOLLARD, float(z), 0.35)
        if street.junction is not None and rng.random() < 0.7:
            add(PostKind.TRAFFIC_LIGHT, street.junction.start_m - 1.0, 0.4)
    return posts
