"""Articulated figures: their joints are where they are seen, and what hides a joint is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from segpp_deploy.config import Size
from segpp_deploy.data.datasets.coco_keypoints import COCO_KEYPOINTS, COCO_RELATIONS
from segpp_deploy.data.scenes import (
    HELD_OUT_SEED,
    MOST_PEOPLE,
    SceneClass,
    generate_people,
    people_pictures,
    place_people,
)
from segpp_deploy.data.scenes.body import body_parts, can_be_seen, shown_joints
from segpp_deploy.data.scenes.camera import Camera
from segpp_deploy.data.scenes.canvas import Canvas
from segpp_deploy.data.scenes.figure import Figure, sample_figure
from segpp_deploy.data.scenes.joints import ANKLES, ELBOWS, FACE, HIPS, KNEES, SHOULDERS, WRISTS, Joint
from segpp_deploy.data.scenes.lighting import sample_light
from segpp_deploy.data.scenes.parts import Part, Pen
from segpp_deploy.data.scenes.people_pictures import HIDDEN, OUTSIDE, VISIBLE

SMALL = Size(192, 256)
SEEDS = range(8)


@pytest.fixture
def pen() -> Pen:
    camera = Camera(Size(300, 240), focal_px=400, centre_u=120, horizon_v=130, height_m=1.1)
    return Pen(camera, sample_light(np.random.default_rng(0)))


def figures(count: int = 40) -> Iterator[Figure]:
    for seed in range(count):
        yield sample_figure(np.random.default_rng(seed), x_m=0.1, z_m=3.5, height_m=1.75)


def standing(heading_rad: float) -> Figure:
    figure = next(figures())
    limb = figure.posture.arms[0]
    arm = replace(limb, forward=0.0, outward=0.15, bend=0.2, spin=0.0)
    leg = replace(limb, forward=0.0, outward=0.05, bend=0.0, spin=np.pi)
    posture = replace(figure.posture, legs=(leg, leg), arms=(arm, arm), lean=0, tilt=0, twist=0, turn=0, nod=0, lift=0)
    look = replace(figure.look, backpack=False)
    return replace(figure, heading_rad=heading_rad, look=look, posture=replace(posture, seated=False))


def paint(pen: Pen, parts: list[Part]) -> Canvas:
    canvas = Canvas.blank(pen.camera.size)
    for part in parts:
        part.paint(canvas)
    return canvas


def test_joints_are_cocos() -> None:
    assert tuple(joint.name.lower() for joint in Joint) == COCO_KEYPOINTS.names


def test_same_seed_gives_the_same_picture() -> None:
    first, second = generate_people(5, SMALL), generate_people(5, SMALL)
    assert np.array_equal(first.image, second.image)
    assert all(np.array_equal(a.points, b.points) for a, b in zip(first.people, second.people, strict=True))
    assert not np.array_equal(first.image, generate_people(6, SMALL).image)


def test_people_are_known_without_a_picture() -> None:
    for seed in (3, HELD_OUT_SEED):
        drawn = generate_people(seed, SMALL)
        for one, other in zip(place_people(seed, SMALL), drawn.people, strict=True):
            assert np.array_equal(one.points, other.points)
            assert one.box == other.box


def test_visible_keypoints_lie_on_people_and_hidden_ones_occur(monkeypatch: pytest.MonkeyPatch) -> None:
    canvases: list[Canvas] = []

    def keep(canvas: Canvas, *_: object) -> np.ndarray:
        canvases.append(canvas)
        return canvas.image

    monkeypatch.setattr(people_pictures, "take_photo", keep)
    counts = np.zeros(3, np.int64)
    for seed in SEEDS:
        picture = generate_people(seed, SMALL)
        for person, visibility in zip(picture.people, picture.visibility, strict=True):
            counts += np.bincount(visibility, minlength=3)
            columns, rows = np.rint(person.points[visibility == VISIBLE]).astype(int).T
            assert (canvases[-1].labels[rows, columns] == SceneClass.PERSON).all()
            assert np.array_equal(visibility != OUTSIDE, person.is_inside)
    assert counts[VISIBLE] > counts[HIDDEN] > 0.1 * counts.sum()


def test_points_are_outside_where_the_picture_ends() -> None:
    cut_off = 0
    for seed in range(40):
        for person in place_people(seed, SMALL):
            edge = np.array((SMALL.width, SMALL.height)) - 0.5
            inside = ((person.points >= -0.5) & (person.points < edge)).all(axis=1)
            assert np.array_equal(inside, person.is_inside)
            assert inside.sum() >= 8
            cut_off += not inside.all()
    assert cut_off > 3


def test_boxes_hold_the_figures(pen: Pen) -> None:
    for figure in figures():
        figure = replace(figure, posture=replace(figure.posture, seated=False))  # a seat may hide feet
        parts = body_parts(pen, figure)
        rows, columns = np.nonzero(paint(pen, parts).labels == SceneClass.PERSON)
        person = people_pictures._place(pen.camera, figure, parts)
        assert person.box == pytest.approx((columns.min(), rows.min(), columns.max(), rows.max()), abs=2)
        left, top, right, bottom = person.box
        assert (person.points[person.is_inside] >= (left - 1, top - 1)).all()
        assert (person.points[person.is_inside] <= (right + 1, bottom + 1)).all()


def test_people_are_of_several_sizes_and_numbers() -> None:
    crowds = [place_people(seed) for seed in range(40)]
    assert {len(people) for people in crowds} == set(range(1, MOST_PEOPLE + 1))
    heights = [person.box[3] - person.box[1] for people in crowds for person in people]
    low, high = np.percentile(heights, (10, 90))
    assert low < 110
    assert high > 220


@pytest.mark.parametrize("size", [Size(32, 200), Size(160, 48)])
def test_pictures_of_any_shape_hold_somebody(size: Size) -> None:
    for seed in range(3):
        picture = generate_people(seed, size)
        assert picture.image.shape == (*size.hw, 3)
        assert all(person.is_inside.sum() > 2 for person in picture.people)


BONES = ((SHOULDERS, ELBOWS), (ELBOWS, WRISTS), (HIPS, KNEES), (KNEES, ANKLES))


def test_limbs_keep_their_lengths_and_feet_the_ground() -> None:
    lengths = []
    for figure in figures():
        joints = figure.skeleton.joints
        bones = [
            (a[side], b[side])
            for a, b in ((SHOULDERS, ELBOWS), (ELBOWS, WRISTS), (HIPS, KNEES), (KNEES, ANKLES))
            for side in (0, 1)
        ]
        lengths.append([np.linalg.norm(joints[one] - joints[other]) for one, other in bones])
        above = joints[list(ANKLES), 1].min() - 1.75 * figure.posture.lift
        assert above == pytest.approx(0.045 * 1.75)
    assert np.ptp(lengths, axis=0) == pytest.approx(0, abs=1e-9)
    assert np.array(lengths)[:, ::2] == pytest.approx(np.array(lengths)[:, 1::2])


def test_a_mirror_swaps_left_and_right() -> None:
    order = COCO_RELATIONS.mirrored(len(Joint))
    for figure in figures():
        mirrored = figure.mirrored().skeleton.joints
        assert mirrored == pytest.approx(figure.skeleton.joints[order] * (-1, 1, 1), abs=1e-9)
        assert figure.mirrored().mirrored() == figure


def test_left_is_on_the_right_of_who_faces_the_camera() -> None:
    for heading, sign in ((0.0, 1), (np.pi, -1)):
        joints = standing(heading).skeleton.joints
        for left, right in COCO_RELATIONS.flip_pairs:
            assert sign * (joints[left, 0] - joints[right, 0]) > 0


def test_a_face_is_seen_from_the_front_alone(pen: Pen) -> None:
    seen = [
        {joint for joint in FACE if can_be_seen(pen, standing(heading), joint)} for heading in (0.0, np.pi, np.pi / 2)
    ]
    assert seen[0] == set(FACE)
    assert seen[1] <= {Joint.LEFT_EAR, Joint.RIGHT_EAR}
    assert Joint.RIGHT_EAR in seen[2]  # who walks to the right shows the right side
    assert Joint.LEFT_EAR not in seen[2]


def test_what_is_painted_in_front_hides(pen: Pen) -> None:
    figure = standing(0.2)
    parts = body_parts(pen, figure)
    pixels = pen.camera.project(figure.skeleton.joints)
    canvas = paint(pen, parts)
    assert all(shown_joints(canvas, parts, pixels))
    post = np.array([(0.0, 0.0), (pixels[Joint.NOSE, 0], 0.0), (pixels[Joint.NOSE, 0], 300.0), (0.0, 300.0)])
    canvas.fill(post, (90, 90, 90), SceneClass.POLE, 2.0)
    shown = np.array(shown_joints(canvas, parts, pixels))
    assert np.array_equal(shown, pixels[:, 0] > pixels[Joint.NOSE, 0])


def test_the_torso_hides_the_far_arm(pen: Pen) -> None:
    figure = standing(np.pi / 2)
    parts = body_parts(pen, figure)
    canvas = paint(pen, parts)
    shown = shown_joints(canvas, parts, pen.camera.project(figure.skeleton.joints))
    assert shown[Joint.RIGHT_ELBOW]
    assert not shown[Joint.LEFT_ELBOW]
    assert can_be_seen(pen, figure, Joint.RIGHT_SHOULDER)
    assert not can_be_seen(pen, figure, Joint.LEFT_SHOULDER)
