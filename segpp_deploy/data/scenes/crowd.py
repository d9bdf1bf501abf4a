"""A street with one to four figures near the camera, in many sizes, some behind posts, cars or each other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import Size
from segpp_deploy.data.scenes.camera import Camera, Points
from segpp_deploy.data.scenes.cars import Car, car_corners, sample_car
from segpp_deploy.data.scenes.figure import Figure, sample_figure, sample_height_m
from segpp_deploy.data.scenes.furniture import Post, PostKind, sample_post
from segpp_deploy.data.scenes.layout import Layout, Lens, sample_layout

MOST_PEOPLE = 4
_SHARE_OF_PICTURE = (0.2, 0.95)  # the height of an upright figure
_NEAREST_M = 1.8
_TRIES = 30
_WHOLE, _CUT_OFF = (17, 17), (11, 16)  # joints inside the picture, of most figures and of the others
_APART = 0.17  # of the nearer figure's height: about half of the farther one can be seen
_CAR_ROOM_M = 4.5
_MOST_HIDDEN = 0.6  # of a figure's joints, by a car
_END_OF_BLOCKS_M, _CARS, _TREES, _POSTS = 50.0, 4, 6, 6  # what makes a background, and is soon painted


@dataclass(frozen=True)
class Crowd:
    """What is in a picture of people; `layout` holds the street and what stands in front of the figures."""

    layout: Layout
    figures: tuple[Figure, ...]


def sample_crowd(seed: int, size: Size) -> Crowd:
    """Draw the contents of the picture of a seed."""
    street_rng, people_rng = (np.random.default_rng([seed, stream]) for stream in range(2))
    lens = _sample_lens(people_rng)
    camera = lens.camera(size)
    figures: list[Figure] = []
    for _ in range(int(people_rng.integers(1, MOST_PEOPLE + 1))):
        figures.append(_place_figure(people_rng, camera, figures))
    layout = _cleared(replace(sample_layout(street_rng), lens=lens), figures)
    posts = [_post_before(people_rng, figure) for figure in figures if people_rng.random() < 0.25]
    cars = [_car_before(people_rng, figure) for figure in figures if people_rng.random() < 0.7]
    cars = [car for car in cars if _hides_little(camera, car, figures)][:1]
    layout = replace(layout, posts=(*layout.posts, *posts), cars=(*layout.cars, *cars))
    return Crowd(layout, tuple(figures))


def inside_picture(pixels: Points, size: Size) -> NDArray[np.bool_]:
    """Say of each point [N, 2] whether it lies in the picture."""
    return np.asarray(((pixels >= 0) & (pixels < (size.width, size.height))).all(axis=1))


def _sample_lens(rng: np.random.Generator) -> Lens:
    """A camera held lower than a car's, so that whole figures fit near it."""
    return Lens(
        focal=float(rng.uniform(0.95, 1.6)),
        horizon=float(rng.uniform(0.36, 0.56)),
        height_m=float(rng.uniform(0.8, 1.7)),
    )


def _place_figure(rng: np.random.Generator, camera: Camera, others: list[Figure]) -> Figure:
    """Draw figures until one is far enough inside the picture and apart from the others; else take the best."""
    least, most = _WHOLE if rng.random() < 0.88 else _CUT_OFF
    best, best_score = None, -np.inf
    for _ in range(_TRIES):
        figure = _draw_figure(rng, camera)
        inside = int(inside_picture(camera.project(figure.skeleton.joints), camera.size).sum())
        apart = min((_distance(camera, figure, other) for other in others), default=np.inf)
        score = min(inside - least, most - inside, 0) + 10 * min(apart - _APART, 0)
        if score > best_score:
            best, best_score = figure, score
        if score == 0:
            break
    assert best is not None
    return best


def _draw_figure(rng: np.random.Generator, camera: Camera) -> Figure:
    share = float(np.exp(rng.uniform(*np.log(_SHARE_OF_PICTURE))))
    height = sample_height_m(rng)
    z = max(_NEAREST_M, camera.focal_px * height / (share * camera.size.height))
    column = float(rng.uniform(0.06, 0.94)) * camera.size.width
    x = (column - camera.centre_u) * z / camera.focal_px
    return sample_figure(rng, x, z, height)


def _distance(camera: Camera, one: Figure, other: Figure) -> float:
    """How far apart two figures stand in the picture, as a share of the nearer one's height."""
    near = one if one.z_m < other.z_m else other
    columns = camera.project(np.array([(figure.x_m, 0.0, figure.z_m) for figure in (one, other)]))[:, 0]
    return float(abs(columns[0] - columns[1]) / (near.height_m * camera.pixels_per_metre(near.z_m)))


def _cleared(layout: Layout, figures: list[Figure]) -> Layout:
    """Take away the street's own people, all that could hide the figures or stand where they do, and what is far."""
    farthest = max(figure.z_m for figure in figures) + 0.5

    def is_free(car: Car) -> bool:
        if car_corners(car)[:, 2].min() < farthest:
            return False
        return all(np.hypot(car.x_m - figure.x_m, car.z_m - figure.z_m) > _CAR_ROOM_M for figure in figures)

    return replace(
        layout,
        people=(),
        blocks=tuple(block for block in layout.blocks if block.start_m < _END_OF_BLOCKS_M),
        cars=tuple(car for car in layout.cars if is_free(car))[:_CARS],
        trees=tuple(tree for tree in layout.trees if tree.z_m > farthest)[:_TREES],
        posts=tuple(post for post in layout.posts if post.z_m > farthest)[:_POSTS],
    )


def _post_before(rng: np.random.Generator, figure: Figure) -> Post:
    """A post that hides a strip of a figure."""
    kinds = (PostKind.LAMP, PostKind.SIGN, PostKind.BOLLARD, PostKind.TRAFFIC_LIGHT)
    z = figure.z_m - float(rng.uniform(0.35, 0.55))
    x = (figure.x_m + float(rng.uniform(-0.25, 0.25))) * z / figure.z_m
    return sample_post(rng, kinds[int(rng.integers(len(kinds)))], x, z, int(rng.choice((-1, 1))))


def _car_before(rng: np.random.Generator, figure: Figure) -> Car:
    """A car across the view, in front of a figure."""
    z = figure.z_m - float(rng.uniform(1.4, 2.2))
    x = figure.x_m * z / figure.z_m + float(rng.choice((-1, 1))) * float(rng.uniform(0.8, 2.6))
    heading = float(rng.choice((-1, 1)) * np.pi / 2 + rng.normal(0, 0.15))
    return sample_car(rng, x, z, heading)


def _hides_little(camera: Camera, car: Car, figures: list[Figure]) -> bool:
    """Whether a car stands off the camera, on no figure, and hides of none more than `_MOST_HIDDEN`."""
    ground = car_corners(car)
    roof = ground + np.array((0.0, car.shape.value.height_m, 0.0))
    near, far = ground[:, 2].min(), ground[:, 2].max()
    left, top = camera.project(np.concatenate([ground, roof])).min(axis=0)
    right, bottom = camera.project(np.concatenate([ground, roof])).max(axis=0)
    for figure in figures:
        pixels = camera.project(figure.skeleton.joints)
        hidden = ((pixels > (left, top)) & (pixels < (right, bottom))).all(axis=1).mean()
        if figure.z_m > near and (hidden > _MOST_HIDDEN or figure.z_m < far + 0.3):
            return False
    return bool(near > _NEAREST_M)
