"""Training on generated people: crops and heatmaps that belong together, and a run that leaves weights."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from segpp_deploy.config import Arch, Size, TaskName
from segpp_deploy.data.datasets.coco_keypoints import COCO_KEYPOINTS
from segpp_deploy.data.geometry.crop import Box, Crop
from segpp_deploy.data.scenes import generate_people
from segpp_deploy.model.dialects import Dialect
from segpp_deploy.model.weights.checkpoint import load_checkpoint

CPU = torch.device("cpu")
SMALL = Size(96, 128)
LEFT_WRIST, RIGHT_WRIST = 9, 10
LEFT_GREY, RIGHT_GREY = 240, 120


@pytest.fixture
def scripts(models_folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    monkeypatch.syspath_prepend(str(models_folder / "training"))
    names = ("network", "people_cache", "person_crops", "train_people", "trained_weights")
    return {name: importlib.import_module(name) for name in names}


def test_heatmaps_are_msras(scripts: dict[str, ModuleType]) -> None:
    size = Size(256, 192)
    points = np.array([[(97.9, 130.0), (0.0, 255.0), (-22.0, 50.0), (-30.0, 50.0), (191.9, 10.1)]], np.float32)
    heatmaps, is_near = scripts["person_crops"].encode_heatmaps(torch.from_numpy(points), size)
    assert is_near[0].tolist() == [True, True, True, False, True]
    for point, heatmap, near in zip(points[0], heatmaps[0].numpy(), is_near[0], strict=True):
        expected = np.zeros((64, 48))
        mu_x, mu_y = (int(np.floor(value / 4 + 0.5)) for value in point)
        for row in range(64):
            for column in range(48):
                if abs(column - mu_x) <= 6 and abs(row - mu_y) <= 6 and near:
                    expected[row, column] = np.exp(-((column - mu_x) ** 2 + (row - mu_y) ** 2) / (2 * 2.0**2))
        assert heatmap == pytest.approx(expected, abs=1e-6)


def test_small_crops_have_narrower_heatmaps(scripts: dict[str, ModuleType]) -> None:
    sigmas = [scripts["person_crops"].sigma_of(Size(height, width)) for height, width in ((256, 192), (128, 96))]
    assert sigmas[0] == 2
    assert sigmas[0] > sigmas[1] >= 1


def test_points_go_to_the_crop_and_back(scripts: dict[str, ModuleType]) -> None:
    crop = Crop.around(Box(20, 10, 70, 90), Size(64, 48))
    points = np.array([(20, 10), (45.5, 50), (69, 88)], np.float32)
    assert crop.to_picture(scripts["person_crops"].to_crop(crop, points)) == pytest.approx(points, abs=1e-4)


def test_heatmaps_show_where_the_crop_has_its_keypoints(
    scripts: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both wrists are marked by their grey; a mirrored crop calls the left one right."""
    crops = scripts["person_crops"]
    monkeypatch.setattr(
        crops, "colour_table", lambda rng: np.arange(256, dtype=np.uint8)[:, None].repeat(3, 1)[:, None]
    )
    monkeypatch.setattr(crops, "normalise", lambda images: images)
    image = np.zeros((200, 160, 3), np.uint8)
    points = np.full((17, 2), 80, np.float32)
    labelled = np.zeros(17, np.bool_)
    for joint, place, grey in ((LEFT_WRIST, (110, 60), LEFT_GREY), (RIGHT_WRIST, (50, 140), RIGHT_GREY)):
        image[place[1] - 8 : place[1] + 9, place[0] - 8 : place[0] + 9] = grey
        points[joint], labelled[joint] = place, True
    person = scripts["people_cache"].CachedPerson(image, Box(30, 30, 130, 170), points, labelled)
    batch = crops.make_batch([person], Size(128, 96), 24, np.random.default_rng(0), CPU)
    seen = set()
    for picture, heatmaps, judged in zip(batch.images, batch.heatmaps, batch.is_judged, strict=True):
        for joint in (LEFT_WRIST, RIGHT_WRIST):
            row, column = divmod(int(heatmaps[joint].argmax()), heatmaps.shape[2])
            seen.add((joint, round(picture[0, 4 * row, 4 * column].item() / LEFT_GREY * 2)))
        assert judged.sum() == 2
    mirrored, upright = {(LEFT_WRIST, 1), (RIGHT_WRIST, 2)}, {(LEFT_WRIST, 2), (RIGHT_WRIST, 1)}
    assert seen == mirrored | upright


def test_loss_is_one_for_an_empty_answer_and_none_for_the_right_one(
    scripts: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    network = scripts["network"]
    heatmaps = torch.rand(2, 3, 8, 6, generator=torch.Generator().manual_seed(0))
    judged = torch.tensor(((1.0, 0.0, 1.0), (1.0, 1.0, 0.0)))
    answers = iter((torch.zeros_like(heatmaps), heatmaps + (1 - judged)[..., None, None]))
    monkeypatch.setattr(network, "training_outputs", lambda model, images: next(answers))
    images = torch.zeros(2, 3, 32, 24)
    assert network.heatmap_loss(None, images, heatmaps, judged) == pytest.approx(1)
    assert network.heatmap_loss(None, images, heatmaps, judged) == 0


def test_stages_follow_the_time(scripts: dict[str, ModuleType]) -> None:
    recipe = scripts["train_people"].Recipe()
    sizes = [recipe.stage_at(progress).size.width for progress in (0.0, 0.5, 0.99, 1.2)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[1] < sizes[2] == scripts["train_people"].INPUT_SIZE.width
    assert recipe.full_size.stage_at(0.0) == recipe.stages[-1]


def test_training_starts_from_all_but_the_last_layer(scripts: dict[str, ModuleType]) -> None:
    network = scripts["network"]
    source, model = network.random_model(Arch.B0, 10, 1), network.random_model(Arch.B0, 17, 2, TaskName.POSE)
    network.take_weights(model, source)
    differing = [
        name
        for name, value in model.state_dict().items()
        if value.shape != source.state_dict()[name].shape or not torch.equal(value, source.state_dict()[name])
    ]
    assert differing == ["head.predict.weight", "head.predict.bias"]


def test_run_leaves_weights_that_load(scripts: dict[str, ModuleType], tmp_path: Path) -> None:
    train = scripts["train_people"]
    start = tmp_path / "start.safetensors"
    model = scripts["network"].random_model(Arch.B0, 10, 1)
    classes = train.COCO_KEYPOINTS.__class__(tuple(map(str, range(10))))
    weights = scripts["trained_weights"]
    weights.save(weights.compact_tensors(model), start, weights.describe(model, classes, ""))
    cache = scripts["people_cache"].PeopleCache(tmp_path / "cache", 2, 1, SMALL)
    assert len(cache) == sum(len(generate_people(seed, SMALL).people) for seed in range(2))
    recipe = train.Recipe(stages=(train.Stage(1.0, Size(64, 64), 2),), minutes=0.01, start=start)
    train.train(recipe, cache, train.load_held_out(1), tmp_path / "run", CPU)
    assert "held-out PCK@0.1" in (tmp_path / "run/log.txt").read_text()
    loaded = load_checkpoint(tmp_path / "run" / train.WEIGHTS)
    assert loaded.dialect is Dialect.MMPOSE
    assert loaded.model.spec.task is TaskName.POSE
    assert loaded.record.class_table(17, "") == COCO_KEYPOINTS
