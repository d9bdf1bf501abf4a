"""The training scripts are documentation of the shipped weights: they must keep running."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from segpp_deploy.config import Size
from segpp_deploy.data.scenes import SCENE_CLASSES, generate_scene

SIZE = Size(64, 96)


@pytest.fixture
def scripts(models_folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    monkeypatch.syspath_prepend(str(models_folder / "training"))
    return {name: importlib.import_module(name) for name in ("network", "scene_cache", "scene_crops", "train_scenes")}


def test_training_outputs_are_the_model_s_own(scripts: dict[str, ModuleType]) -> None:
    model = scripts["train_scenes"].new_model(0).eval()
    image = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours, expected = scripts["network"].training_outputs(model, image), model(image)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)


def test_loss_starts_near_chance_and_falls(scripts: dict[str, ModuleType]) -> None:
    network = scripts["network"]
    model = scripts["train_scenes"].new_model(0).train()
    optimizer = network.make_optimizer(model, 0.01)
    image = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    labels = torch.zeros(2, 64, 64, dtype=torch.int64)
    losses = []
    for _ in range(4):
        loss = network.loss_of(model, image, labels, torch.ones(len(SCENE_CLASSES)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(np.log(len(SCENE_CLASSES)), rel=0.25)
    assert losses[-1] < 0.8 * losses[0]


def test_one_process_averages_to_its_own_gradients(scripts: dict[str, ModuleType], tmp_path: Path) -> None:
    model = scripts["train_scenes"].new_model(0).to(memory_format=torch.channels_last)
    generator = torch.Generator().manual_seed(3)
    for parameter in model.parameters():
        parameter.grad = torch.empty_like(parameter).normal_(generator=generator)
    before = [parameter.grad.clone() for parameter in model.parameters()]
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1)
    try:
        scripts["train_scenes"].average_gradients(model)
    finally:
        torch.distributed.destroy_process_group()
    assert all(torch.equal(parameter.grad, old) for parameter, old in zip(model.parameters(), before, strict=True))


def test_checkpoint_restores_a_run(scripts: dict[str, ModuleType], tmp_path: Path) -> None:
    train, make_optimizer = scripts["train_scenes"], scripts["network"].make_optimizer
    model, other = train.new_model(0), train.new_model(1)
    train.save_checkpoint(tmp_path / "last.pt", model, make_optimizer(model, 0.01), 7)
    assert train.load_checkpoint(tmp_path / "last.pt", other, make_optimizer(other, 0.01)) == 7
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


def test_learning_rate_warms_up_and_ends_at_zero_in_each_stage(scripts: dict[str, ModuleType]) -> None:
    stage, recipe_type = scripts["scene_crops"].Stage, scripts["scene_crops"].Recipe
    recipe = recipe_type(stages=(stage(500, 64, 64, 1, 1e-3), stage(300, 64, 96, 1, 2e-4)))
    rates = [scripts["train_scenes"].rate_at(step, recipe) for step in range(recipe.steps + 1)]
    assert max(rates[:500]) == pytest.approx(1e-3)
    assert max(rates[500:]) == pytest.approx(2e-4)
    for first, last in ((0, 499), (500, 800)):
        assert rates[first] < 0.02 * max(rates[first : last + 1])
        assert rates[last] < 1e-7


def test_cache_goes_on_where_it_stopped(scripts: dict[str, ModuleType], tmp_path: Path) -> None:
    open_cache = scripts["scene_cache"].open_cache
    open_cache(tmp_path, 3, workers=1, size=SIZE)
    np.load(tmp_path / "done.npy", mmap_mode="r+")[1] = 0
    np.load(tmp_path / "images.npy", mmap_mode="r+")[1] = 0
    cache = open_cache(tmp_path, 3, workers=1, size=SIZE)
    assert np.array_equal(cache.images[1], generate_scene(1, SIZE).image)
    assert np.array_equal(cache.labels[2], generate_scene(2, SIZE).labels)


def test_cache_of_another_size_is_refused(scripts: dict[str, ModuleType], tmp_path: Path) -> None:
    open_cache = scripts["scene_cache"].open_cache
    open_cache(tmp_path, 1, workers=1, size=SIZE)
    with pytest.raises(SystemExit, match="choose another --cache"):
        open_cache(tmp_path, 2, workers=1, size=SIZE)


def test_batches_repeat_by_step_and_differ_by_process(scripts: dict[str, ModuleType], tmp_path: Path) -> None:
    cache = scripts["scene_cache"].open_cache(tmp_path, 2, workers=1, size=SIZE)
    stages = (scripts["scene_crops"].Stage(9, 32, 48, 2, 1e-3),)
    recipe = scripts["scene_crops"].Recipe(stages=stages)
    images, labels = scripts["scene_crops"].make_batch(cache, recipe, step=5, rank=0)
    again, _ = scripts["scene_crops"].make_batch(cache, recipe, step=5, rank=0)
    other, _ = scripts["scene_crops"].make_batch(cache, recipe, step=5, rank=1)
    assert images.shape == (2, 3, 32, 48)
    assert labels.shape == (2, 32, 48)
    assert labels.max() < len(SCENE_CLASSES)
    assert torch.equal(images, again)
    assert not torch.equal(images, other)
