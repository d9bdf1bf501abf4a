from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from segpp_deploy.config import Arch, ChannelOrder, Size
from segpp_deploy.errors import SegppError
from segpp_deploy.model.dialects import Dialect
from segpp_deploy.model.weights.checkpoint import load_checkpoint
from tests.model.closeness import relative_error
from tests.support.random_models import randomise
from tests.support.requirements import require

transformers = require("transformers")

B2 = {"hidden_sizes": [64, 128, 320, 512], "depths": [3, 4, 6, 3], "decoder_hidden_size": 768}
Build = Callable[..., tuple[Any, Path]]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Return a function that builds transformers' own model and saves it as the hub has it."""

    def build_one(**config: Any) -> tuple[Any, Path]:
        torch.manual_seed(0)
        theirs = transformers.SegformerForSemanticSegmentation(transformers.SegformerConfig(**config)).eval()
        randomise(theirs)
        theirs.save_pretrained(tmp_path / "hub")
        return theirs, tmp_path / "hub"

    return build_one


def edit_config(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


@pytest.mark.parametrize(("config", "arch"), [({}, Arch.B0), (B2, Arch.B2)])
def test_logits_are_those_of_transformers(build: Build, config: dict[str, Any], arch: Arch) -> None:
    theirs, folder = build(num_labels=7, **config)
    ours = load_checkpoint(folder)
    image = torch.randn(2, 3, 64, 96) * 0.05  # tokens that vary little show the epsilon
    with torch.no_grad():
        assert relative_error(ours.model(image), theirs(image).logits) < 5e-6
    assert (ours.dialect, ours.model.spec.arch) == (Dialect.HUGGING_FACE, arch)
    assert ours.model.spec.head_channels == config.get("decoder_hidden_size", 256)


def test_the_layer_norm_epsilon_is_the_one_transformers_uses(build: Build) -> None:
    theirs, folder = build(num_labels=7)
    ours = load_checkpoint(folder).model
    used = {module.eps for module in theirs.modules() if isinstance(module, torch.nn.LayerNorm)}
    assert {module.eps for module in ours.modules() if isinstance(module, torch.nn.LayerNorm)} == used


def test_a_live_module_saved_with_torch_loads_too(build: Build, tmp_path: Path) -> None:
    theirs, _ = build(num_labels=7)
    torch.save(theirs.state_dict(), tmp_path / "live.pth")
    ours = load_checkpoint(tmp_path / "live.pth")
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert relative_error(ours.model(image), theirs(image).logits) < 5e-6


def test_class_names_and_normalisation_come_from_the_json_files(build: Build) -> None:
    _, folder = build(num_labels=2, id2label={0: "road", 1: "sky"}, label2id={"road": 0, "sky": 1})
    processor = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    loaded = load_checkpoint(folder)
    assert loaded.record.classes == ("road", "sky")
    assert loaded.record.mean == pytest.approx((123.675, 116.28, 103.53))
    assert loaded.record.std == pytest.approx((58.395, 57.12, 57.375))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"do_normalize": False},
        {"do_rescale": False, "image_mean": [120.0, 110.0, 100.0], "image_std": [60.0, 50.0, 40.0]},
        {"do_rescale": False, "do_normalize": False},
        {"rescale_factor": 1 / 127.5, "image_mean": [1.0, 1.0, 1.0], "image_std": [1.0, 1.0, 1.0]},
    ],
)
def test_pictures_are_normalised_as_transformers_does_it(build: Build, changes: dict[str, Any]) -> None:
    _, folder = build()
    theirs = transformers.SegformerImageProcessor(do_resize=False, **changes)
    theirs.save_pretrained(folder)
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    expected = theirs(picture, return_tensors="np")["pixel_values"][0]
    found = load_checkpoint(folder).record
    assert found.mean is not None
    assert found.std is not None
    ours = (picture.astype(np.float64) - found.mean) / found.std
    np.testing.assert_allclose(ours.transpose(2, 0, 1), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("factor", [0, -1, "1/255"])
def test_a_factor_that_cannot_be(build: Build, factor: object) -> None:
    _, folder = build()
    (folder / "preprocessor_config.json").write_text(json.dumps({"rescale_factor": factor}))
    with pytest.raises(SegppError, match="says rescale_factor"):
        load_checkpoint(folder)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_json_files_as_windows_editors_write_them(build: Build, encoding: str) -> None:
    _, folder = build(num_labels=2, id2label={0: "road", 1: "sky"}, label2id={"road": 0, "sky": 1})
    config = folder / "config.json"
    config.write_text(config.read_text(), encoding=encoding)
    loaded = load_checkpoint(folder)
    assert loaded.record.classes == ("road", "sky")


def test_filler_labels_are_no_names(build: Build) -> None:
    _, folder = build(num_labels=3)
    loaded = load_checkpoint(folder)
    assert (loaded.record.classes, loaded.record.mean, loaded.record.std) == (None, None, None)


def test_pytorch_bin_and_shards_load_like_one_file(build: Build) -> None:
    _, folder = build(num_labels=3)
    whole = load_checkpoint(folder).model.state_dict()
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()

    torch.save(tensors, folder / "pytorch_model.bin")
    binary = load_checkpoint(folder).model.state_dict()
    (folder / "pytorch_model.bin").unlink()

    names = sorted(tensors)
    shards = {"model-1.safetensors": names[::2], "model-2.safetensors": names[1::2]}
    for file, part in shards.items():
        save_file({name: tensors[name] for name in part}, folder / file)
    weight_map = {name: file for file, part in shards.items() for name in part}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    sharded = load_checkpoint(folder).model.state_dict()
    for other in (binary, sharded):
        assert all(torch.equal(whole[name], other[name]) for name in whole)


def test_a_lost_shard_is_named(build: Build) -> None:
    _, folder = build(num_labels=3)
    (folder / "model.safetensors").rename(folder / "elsewhere.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "model-1.safetensors"}}))
    with pytest.raises(SegppError, match=r"No such file: .*model-1\.safetensors"):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "beit"}, "model_type: beit"),
        ({"num_attention_heads": [1, 2, 4, 8]}, r"num_attention_heads: \[1, 2, 4, 8\]"),
        ({"sr_ratios": [4, 2, 1, 1]}, "sr_ratios"),
        ({"hidden_act": "relu"}, "hidden_act: relu"),
    ],
)
def test_a_model_that_would_compute_something_else_is_refused(build: Build, change: Any, message: str) -> None:
    _, folder = build(num_labels=3)
    edit_config(folder, **change)
    with pytest.raises(SegppError, match=message) as caught:
        load_checkpoint(folder)
    assert caught.value.expected
    assert caught.value.fix


def test_missing_and_damaged_files_of_a_directory_are_named(build: Build, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SegppError, match=r"empty holds no config\.json"):
        load_checkpoint(tmp_path / "empty")
    _, folder = build(num_labels=3)
    (folder / "model.safetensors").unlink()
    with pytest.raises(SegppError, match="holds no weights"):
        load_checkpoint(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(SegppError, match=r"config\.json is not JSON"):
        load_checkpoint(folder)
    (folder / "config.json").write_text("[]")
    with pytest.raises(SegppError, match="holds no JSON object"):
        load_checkpoint(folder)


def test_size_and_numbering_of_labels_are_read(build: Build) -> None:
    _, folder = build(num_labels=2)
    processor = folder / "preprocessor_config.json"
    sizes = (({"height": 640, "width": 320}, Size(640, 320)), (512, Size(512, 512)), ({"shortest_edge": 9}, None))
    for size, expected in sizes:
        processor.write_text(json.dumps({"size": size, "do_reduce_labels": True}))
        record = load_checkpoint(folder).record
        assert (record.size, record.reduce_labels, record.channel_order) == (expected, True, ChannelOrder.RGB)
    processor.write_text(json.dumps({"size": 512, "do_resize": False}))
    assert load_checkpoint(folder).record.size is None


def test_the_files_beside_a_named_weights_file_are_read_and_named(build: Build, tmp_path: Path) -> None:
    _, folder = build(num_labels=2, id2label={0: "road", 1: "sky"}, label2id={"road": 0, "sky": 1})
    (folder / "preprocessor_config.json").write_text(json.dumps({"do_normalize": False}))
    loaded = load_checkpoint(folder / "model.safetensors")
    assert loaded.record == load_checkpoint(folder).record
    assert loaded.record.std == (255, 255, 255)
    assert loaded.notes == ("Read beside it: config.json and preprocessor_config.json.",)
    (folder / "model.safetensors").rename(tmp_path / "alone.safetensors")
    assert load_checkpoint(tmp_path / "alone.safetensors").record.classes is None


def test_a_directory_around_the_model_names_what_is_below(build: Build, tmp_path: Path) -> None:
    _, folder = build(num_labels=2)
    snapshot = tmp_path / "models--me--mine" / "snapshots" / "0123abc"
    snapshot.parent.mkdir(parents=True)
    folder.rename(snapshot)
    with pytest.raises(SegppError, match="but snapshots/0123abc below it does") as caught:
        load_checkpoint(tmp_path / "models--me--mine")
    assert caught.value.fix == f"--checkpoint {snapshot}"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "best.pth").write_bytes(b"x")
    with pytest.raises(SegppError, match=r"it holds best\.pth") as caught:
        load_checkpoint(tmp_path / "run")
    assert str(tmp_path / "run" / "best.pth") in caught.value.fix


def test_a_directory_of_adapters_is_named(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(SegppError, match="LoRA adapters"):
        load_checkpoint(tmp_path)
