"""Whatever wraps a state dict or lies beside it: the right weights are found, and what was done is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from segpp_deploy.errors import SegppError, command_line
from segpp_deploy.model.dialects import Dialect, to_dialect
from segpp_deploy.model.weights.checkpoint import LoadedCheckpoint, load_checkpoint
from tests.support.random_models import random_model

State = dict[str, torch.Tensor]
LAST = "decode_head.conv_seg.bias"


@pytest.fixture(scope="module")
def state() -> State:
    return to_dialect(random_model(Dialect.MMSEG), Dialect.MMSEG)


@pytest.fixture(scope="module")
def other(state: State) -> State:
    """The same network with another bias in its last layer."""
    return {**state, LAST: state[LAST] + 1}


def load(folder: Path, content: Any, **options: Any) -> LoadedCheckpoint:
    torch.save(content, folder / "w.pth")
    return load_checkpoint(folder / "w.pth", **options)


def bias(loaded: LoadedCheckpoint) -> torch.Tensor:
    return loaded.model.state_dict()["head.predict.bias"]


def prefixed(prefix: str, state: State) -> State:
    return {prefix + name: tensor for name, tensor in state.items()}


@pytest.mark.parametrize(
    ("wrap", "left_out"),
    [
        (lambda s: {"state_dict": prefixed("_orig_mod.module.", s)}, ""),
        (lambda s: {"state_dict": prefixed("segmentor.", s)}, ""),
        (lambda s: {"state_dict": prefixed("any.thing.", s)}, ""),
        (lambda s: {"state_dict": prefixed("model.", s) | {"criterion.weight": torch.ones(5)}}, "criterion.weight"),
        (lambda s: {"n_averaged": torch.tensor(5)} | prefixed("module.", s), "n_averaged"),
        (lambda s: s | {"metric.confmat": torch.ones(5, 5), "step": torch.tensor(3)}, "metric.confmat, step"),
        (lambda s: s | {"decode_head.loss_decode.class_weight": torch.ones(5)}, "decode_head.loss_decode.class_weight"),
        (lambda s: {"epoch": torch.tensor(1), "step": torch.tensor(2), "state_dict": s}, ""),
        (lambda s: {"trainer": {"net": {"weights": s}}, "scaler": {"scale": torch.tensor(1.0)}}, ""),
    ],
)
def test_what_is_around_the_weights_is_dropped_and_said(
    tmp_path: Path, state: State, wrap: Callable[[State], Any], left_out: str
) -> None:
    loaded = load(tmp_path, wrap(state))
    assert torch.equal(bias(loaded), state[LAST])
    assert loaded.notes == ((f"Left out, no part of the model: {left_out}.",) if left_out else ())


AVERAGES: list[Callable[[State, State], Any]] = [
    lambda plain, mean: {"state_dict": plain, "state_dict_ema": mean},  # timm
    lambda plain, mean: {"model": plain, "model_ema": {"module": mean, "decay": 0.9}},
    lambda plain, mean: {"state_dict": prefixed("model.", plain) | prefixed("ema_model.", mean)},
    lambda plain, mean: {"model": plain, "ema": prefixed("module.", mean)},
    # these swap before they save, so that state_dict is what they deploy
    lambda plain, mean: {"state_dict": mean, "ema_state_dict": prefixed("module.", plain), "message_hub": {}},
    lambda plain, mean: {"state_dict": mean, "current_model_state": prefixed("model.", plain), "averaging_state": {}},
    lambda plain, mean: {"state_dict": mean | {f"ema_{n.replace('.', '_')}": t for n, t in plain.items()}},
]


@pytest.mark.parametrize("write", AVERAGES, ids=["timm", "dict", "prefix", "ema", "mmengine", "lightning", "mmcv"])
def test_the_moving_average_is_taken_unless_the_other_is_asked_for(
    tmp_path: Path, state: State, other: State, write: Callable[[State, State], Any]
) -> None:
    content = write(other, state)
    taken = load(tmp_path, content)
    assert torch.equal(bias(taken), state[LAST])
    assert len(taken.notes) == 1
    assert "the moving average; not taken: " in taken.notes[0]
    assert torch.equal(bias(load(tmp_path, content, weights="ema")), state[LAST])
    assert torch.equal(bias(load(tmp_path, content, weights="plain")), other[LAST])


def test_what_only_sounds_like_a_moving_average_is_named(tmp_path: Path, state: State) -> None:
    loaded = load(tmp_path, state | {"ema_decay": torch.tensor(0.99)})
    assert loaded.notes == ("Left out, no part of the model: ema_decay.",)


def test_several_models_are_told_apart_by_the_user(tmp_path: Path, state: State, other: State) -> None:
    content = prefixed("left.", state) | prefixed("right.", other)
    with pytest.raises(SegppError, match=r"holds 2 models: left, right") as caught, command_line():
        load(tmp_path, content)
    assert caught.value.fix == "Say which: --weights left"
    assert torch.equal(bias(load(tmp_path, content, weights="right")), other[LAST])
    with pytest.raises(SegppError, match="holds no weights called 'middle'; it holds left, right"):
        load(tmp_path, content, weights="middle")


@pytest.mark.parametrize(
    ("wish", "message"), [("ema", "no moving average"), ("student", "no weights called 'student'")]
)
def test_weights_that_are_not_there(tmp_path: Path, state: State, wish: str, message: str) -> None:
    with pytest.raises(SegppError, match=message):
        load(tmp_path, state, weights=wish)


@pytest.mark.parametrize(
    ("names", "family"),
    [
        (["base_model.model.x.query.lora_A.default.weight"], "LoRA adapters"),
        (["encoder.patch_embed1.proj.weight", "decoder.mlp_stage.0.linear.weight"], "segmentation_models_pytorch"),
        (["blocks.0.attn.qkv.weight", "patch_embed.proj.weight"], "timm"),
        (["model.0.conv.weight", "model.22.cv2.0.weight"], "YOLO"),
        (["backbone.layer1.0.conv1.weight", "classifier.4.weight"], "torchvision"),
        (["model.pixel_level_module.encoder.weight"], "Mask2Former"),
    ],
)
def test_families_that_are_not_ours_are_named(tmp_path: Path, names: list[str], family: str) -> None:
    with pytest.raises(SegppError, match=family) as caught:
        load(tmp_path, {name: torch.zeros(2) for name in names})
    assert caught.value.fix


def test_adapters_beside_whole_weights_are_not_lost_silently(tmp_path: Path) -> None:
    weights = to_dialect(random_model(Dialect.HUGGING_FACE), Dialect.HUGGING_FACE)
    first = "segformer.encoder.block.0.0.attention.self.query."
    adapters = {first + "lora_A.default.weight": torch.zeros(2, 2), first + "lora_B.default.weight": torch.zeros(2, 2)}
    with pytest.raises(SegppError, match="LoRA adapters"):
        load(tmp_path, weights | adapters)


@pytest.mark.parametrize("channels", [1, 4])
def test_networks_that_take_no_rgb_pictures(tmp_path: Path, state: State, channels: int) -> None:
    first = "backbone.layers.0.0.projection.weight"
    with pytest.raises(SegppError, match=f"takes {channels} channels"):
        load(tmp_path, {**state, first: state[first][:, :1].expand(-1, channels, -1, -1).clone()})
