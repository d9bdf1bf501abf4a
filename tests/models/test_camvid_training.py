"""Training on CamVid: packed frames, crops made on the device, weights in shards."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from segpp_deploy.config import Arch
from segpp_deploy.data.datasets import IGNORE_INDEX
from segpp_deploy.data.datasets.camvid import CAMVID_CLASSES
from segpp_deploy.model.dialects import Dialect, to_dialect
from segpp_deploy.model.weights.checkpoint import load_checkpoint
from tests.support.random_models import random_model

CPU = torch.device("cpu")
NAMES = (
    "network",
    "confusion",
    "trained_weights",
    "packed_camvid",
    "frame_crops",
    "grown_model",
    "timed_run",
    "train_camvid",
)
ABSENT = ("av", "onnx", "onnx_ir", "onnxruntime", "openvino", "rich", "typer", "pydantic", "yaml", "filelock")


@pytest.fixture
def scripts(models_folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    monkeypatch.syspath_prepend(str(models_folder / "training"))
    return {name: importlib.import_module(name) for name in NAMES}


@pytest.fixture
def packed(scripts: dict[str, ModuleType], tmp_path: Path) -> Path:
    """Two frames of each split: stripes of classes, as grey as their label says; class 11 is void."""
    for split in ("train", "val"):
        for kind in ("images", "labels"):
            (tmp_path / kind / split).mkdir(parents=True)
        for index in range(2):
            label = np.broadcast_to(np.arange(96, dtype=np.uint8) // 8, (64, 96))[:, :: 1 - 2 * index]
            cv2.imwrite(str(tmp_path / f"labels/{split}/{index}.png"), label)
            cv2.imwrite(str(tmp_path / f"images/{split}/{index}.png"), np.repeat(label[..., None] * 20, 3, 2))
    scripts["packed_camvid"].pack(tmp_path, tmp_path / "camvid.npz")
    return tmp_path / "camvid.npz"


def test_packed_frames_come_back(scripts: dict[str, ModuleType], packed: Path) -> None:
    frames = scripts["packed_camvid"].load(packed, "val", CPU)
    assert frames.images.shape == (2, 3, 64, 96)
    stripes = torch.arange(96) // 8
    assert torch.equal(frames.labels[0], stripes.where(stripes < 11, IGNORE_INDEX).expand(64, 96).to(torch.uint8))
    assert torch.equal(frames.labels[1], frames.labels[0].flip(1))
    assert (frames.images[0].float() - stripes * 20).abs().max() <= 6


def test_crops_keep_picture_and_labels_together(
    scripts: dict[str, ModuleType], packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = scripts["packed_camvid"].load(packed, "train", CPU)
    for step in ("_jitter", "normalise"):
        monkeypatch.setattr(scripts["frame_crops"], step, lambda images: images)
    torch.manual_seed(0)
    images, labels = scripts["frame_crops"].random_crops(frames, 16, (48, 64))
    assert images.shape == (16, 3, 48, 64)
    assert labels.shape == (16, 48, 64)
    judged = labels != IGNORE_INDEX
    assert judged.float().mean() > 0.7
    assert ((images[:, 0] - labels * 20).abs()[judged] < 12).float().mean() > 0.95
    assert len(labels.amin((1, 2)).unique()) > 1  # not the same crop each time


def test_crops_larger_than_the_frame_are_ignored_outside(scripts: dict[str, ModuleType], packed: Path) -> None:
    frames = scripts["packed_camvid"].load(packed, "train", CPU)
    _, labels = scripts["frame_crops"].random_crops(frames, 4, (128, 192))
    outside = (labels == IGNORE_INDEX)[:, 0].float().mean()
    assert outside == 1


def test_learning_rate_warms_up_and_ends_at_zero(scripts: dict[str, ModuleType]) -> None:
    rates = [scripts["timed_run"].rate_at(done / 100, 1e-3) for done in range(101)]
    assert rates[0] < 1e-4
    assert max(rates) == pytest.approx(1e-3)
    assert rates[-1] == pytest.approx(0, abs=1e-9)


def test_dropped_paths_change_training_only(scripts: dict[str, ModuleType]) -> None:
    model = scripts["network"].random_model(Arch.B0, 11, 0).eval()
    image = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        before = model(image)
        scripts["train_camvid"].drop_paths(model, 0.9)
        assert torch.equal(model(image), before)
        model.encoder.train()
        assert not torch.allclose(model(image), before)


@pytest.mark.parametrize(("seconds", "planes"), [((2.0, 1.0), True), ((1.0, 2.0), False)])
def test_faster_layout_is_kept(
    scripts: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch, seconds: tuple[float, ...], planes: bool
) -> None:
    train, model = scripts["train_camvid"], scripts["network"].random_model(Arch.B0, 11, 0)
    measured = iter(seconds)
    monkeypatch.setattr(train, "_seconds_of", lambda step: next(measured))
    assert "planes" in train.choose_layout(model, lambda: None)
    taken = []
    depthwise = model.encoder.stages[0].layers[0].feed_forward.depthwise
    depthwise.register_forward_hook(lambda _, inputs, __: taken.append(inputs[0].is_contiguous()))
    model(torch.zeros(1, 3, 64, 64))
    assert taken == [planes]


@pytest.mark.parametrize("arch", [Arch.B1, Arch.B2])
def test_grown_network_computes_the_same(scripts: dict[str, ModuleType], arch: Arch) -> None:
    small = random_model(Dialect.MMSEG)
    image = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = small(image)
        torch.testing.assert_close(
            scripts["grown_model"].grow(small, arch, spread=0)(image), expected, rtol=0, atol=1e-4
        )


def test_grown_network_trains_on_in_every_channel_and_layer(scripts: dict[str, ModuleType]) -> None:
    model = scripts["grown_model"].grow(random_model(Dialect.MMSEG), Arch.B2)
    new = model.encoder.stages[2].layers[5]
    image = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    model(image).square().mean().backward()
    slope = new.attention.output.weight.grad
    assert slope.abs().min() > 0
    assert not torch.allclose(slope[0::2], slope[1::2], rtol=1e-3)  # twins part


def test_network_does_not_grow_downwards(scripts: dict[str, ModuleType]) -> None:
    with pytest.raises(ValueError, match="shallower"):
        scripts["grown_model"].grow(random_model(Dialect.MMSEG, Arch.B2), Arch.B1)


def test_run_leaves_weights_that_load(scripts: dict[str, ModuleType], packed: Path, tmp_path: Path) -> None:
    train = scripts["train_camvid"]
    small = tmp_path / "b0.safetensors"
    save_file(to_dialect(random_model(Dialect.MMSEG, outputs=11), Dialect.MMSEG), small)
    recipe = train.Recipe(Arch.B1, crop_hw=(32, 64), batch=2, minutes=0.02, grown_from=small)
    train.train(recipe, packed, tmp_path / "run", CPU)
    assert "val mIoU" in (tmp_path / "run/log.txt").read_text()
    joined = tmp_path / "joined.safetensors"
    scripts["trained_weights"].join_shards(tmp_path / "run", joined)
    loaded = load_checkpoint(joined)
    assert loaded.dialect is Dialect.MMSEG
    assert loaded.record.class_table(11, "") == CAMVID_CLASSES


def test_shards_are_small_and_join_to_all_tensors(
    scripts: dict[str, ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = scripts["trained_weights"]
    monkeypatch.setattr(weights, "SHARD_BYTES", 1000)
    tensors = {f"t{index}": torch.full((10, 10), float(index)).half() for index in range(12)}
    weights.save_shards(tensors, tmp_path / "run", {"note": "a"})
    assert len(list((tmp_path / "run").iterdir())) == 3
    weights.join_shards(tmp_path / "run", tmp_path / "joined.safetensors")
    joined = load_file(tmp_path / "joined.safetensors")
    assert joined.keys() == tensors.keys()
    assert all(torch.equal(joined[name], tensor.float()) for name, tensor in tensors.items())


def test_joining_nothing_says_so(scripts: dict[str, ModuleType], tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="holds no shards"):
        scripts["trained_weights"].join_shards(tmp_path, tmp_path / "joined.safetensors")


def test_training_needs_few_packages(models_folder: Path) -> None:
    code = f"import sys; sys.modules.update(dict.fromkeys({ABSENT!r})); import train_camvid"
    script = f"import sys; sys.path.insert(0, {str(models_folder / 'training')!r}); {code}"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=models_folder.parent)
