"""A street scene from a seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import Size
from segpp_deploy.data.scenes.blocks import paint_backdrop, paint_block
from segpp_deploy.data.scenes.canvas import Canvas
from segpp_deploy.data.scenes.cars import car_corners
from segpp_deploy.data.scenes.foliage import paint_tree
from segpp_deploy.data.scenes.furniture import paint_post
from segpp_deploy.data.scenes.ground import paint_ground
from segpp_deploy.data.scenes.layout import Layout, sample_layout
from segpp_deploy.data.scenes.people import paint_person
from segpp_deploy.data.scenes.photo import take_photo
from segpp_deploy.data.scenes.shadows import paint_shadows
from segpp_deploy.data.scenes.sky import paint_sky
from segpp_deploy.data.scenes.vehicles import paint_car
from segpp_deploy.data.scenes.view import View

DEFAULT_SCENE_SIZE = Size(512, 1024)
HELD_OUT_SEED = 1_000_000
"""Seeds from here on are never trained on."""

Job = tuple[float, Callable[[], None]]
"""How far away something stands, in metres, and what paints it."""


@dataclass(frozen=True)
class Scene:
    """A generated street: image uint8 [H, W, 3] RGB, labels uint8 [H, W] (values of `SceneClass`)."""

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def generate_scene(seed: int, size: Size = DEFAULT_SCENE_SIZE) -> Scene:
    """Generate the scene of a seed; the same seed shows the same street at every size.

    Args:
        seed: any whole number from 0; from `HELD_OUT_SEED` on it is held out from training.
        size: the picture's size in pixels.

    Example:
        >>> scene = generate_scene(7, Size(64, 128))
        >>> scene.image.shape, scene.labels.shape
        ((64, 128, 3), (64, 128))
    """
    # Separate streams, so that a change in one stage leaves the others' draws alone.
    layout_rng, sky_rng, photo_rng = (np.random.default_rng([seed, stream]) for stream in range(3))
    layout = sample_layout(layout_rng)
    view = View(Canvas.blank(size), layout.lens.camera(size), layout.light)
    paint_sky(view, sky_rng)
    paint_ground(view, layout.street, layout.ground)
    paint_shadows(view, layout)
    paint_far_to_near(street_jobs(view, layout))
    return Scene(take_photo(view.canvas, view.light, photo_rng), view.canvas.labels)


def paint_far_to_near(jobs: Iterable[Job]) -> None:
    """Paint what stands on the ground, the farthest first."""
    for _, paint in sorted(jobs, key=lambda job: -job[0]):
        paint()


def street_jobs(view: View, layout: Layout) -> list[Job]:
    """Return everything that stands on the ground, each with its distance in metres."""
    jobs: list[Job] = []
    for wall in layout.backdrop:
        jobs.append((wall.z_m, partial(paint_backdrop, view, wall)))
    for block in layout.blocks:
        jobs.append((block.end_m, partial(paint_block, view, layout.street, block)))
    for tree in layout.trees:
        jobs.append((tree.z_m, partial(paint_tree, view, tree)))
    for car in layout.cars:
        # A car's kerb side hides what stands beside it, so its near end decides.
        near = float(car_corners(car)[:, 2].min())
        jobs.append((near, partial(paint_car, view, car)))
    for person in layout.people:
        jobs.append((person.z_m, partial(paint_person, view, person)))
    for post in layout.posts:
        jobs.append((post.z_m, partial(paint_post, view, post)))
    return jobs
