from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from segpp_deploy.config import Arch, Preset, TaskName
from segpp_deploy.errors import SegppError
from segpp_deploy.files import sha256_of
from segpp_deploy.model.arch import ARCH_SPECS
from segpp_deploy.model.dialects import TABLES, Dialect, to_dialect
from segpp_deploy.model.plan import PRESETS
from segpp_deploy.model.weights.checkpoint import load_checkpoint
from tests.support.random_models import random_model

State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def _state() -> State:
    return to_dialect(random_model(Dialect.MMSEG), Dialect.MMSEG)


@pytest.fixture
def state(_state: State) -> State:
    """Weights in the mmsegmentation dialect, to be changed at will."""
    return {name: tensor.clone() for name, tensor in _state.items()}


def saved(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def failure(path: Path, **wishes: Any) -> SegppError:
    """The error of a load; it must have its three parts."""
    with pytest.raises(SegppError) as caught:
        load_checkpoint(path, **wishes)
    assert caught.value.expected
    assert caught.value.fix
    assert caught.value.exit_code == 2
    return caught.value


@pytest.mark.parametrize("dialect", list(Dialect))
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_every_dialect_loads_and_computes_the_same(tmp_path: Path, dialect: Dialect, suffix: str) -> None:
    model = random_model(dialect)
    path = tmp_path / f"weights{suffix}"
    save: Callable[[State, Path], None] = save_file if suffix == ".safetensors" else torch.save
    save(to_dialect(model, dialect), path)
    loaded = load_checkpoint(path, arch=Arch.B0, num_outputs=5, task=TABLES[dialect].task)
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(loaded.model(image), model(image))
    assert loaded.dialect is dialect
    assert loaded.model.spec == model.spec
    assert loaded.model.plan == PRESETS[Preset.ORIGINAL]
    assert not loaded.model.training
    assert loaded.sha256 == sha256_of(path)
    assert {parameter.dtype for parameter in loaded.model.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: {"state_dict": s, "epoch": 3},
        lambda s: {"model": s, "optimizer": {"state": {}}},
        lambda s: {"state_dict": {"model": s}, "iteration": torch.tensor(4)},
        lambda s: {f"module.{name}": tensor for name, tensor in s.items()},
        lambda s: {"state_dict": {f"model._orig_mod.{name}": tensor for name, tensor in s.items()}},
        OrderedDict,
    ],
)
def test_wrappers_and_prefixes_are_removed(tmp_path: Path, state: State, wrap: Callable[[State], Any]) -> None:
    loaded = load_checkpoint(saved(tmp_path / "w.pth", wrap(state)))
    assert loaded.dialect is Dialect.MMSEG


def test_a_pickle_of_old_torch_loads(tmp_path: Path, state: State) -> None:
    torch.save({"state_dict": state}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert load_checkpoint(tmp_path / "old.pth").model.spec.num_outputs == 5


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_become_float32(tmp_path: Path, state: State, dtype: torch.dtype) -> None:
    halved = {name: tensor.to(dtype) if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    model = load_checkpoint(saved(tmp_path / "w.pth", halved)).model
    expected = halved["decode_head.conv_seg.weight"].float()
    assert torch.equal(model.state_dict()["head.predict.weight"], expected)


def test_batch_counters_may_be_absent(tmp_path: Path, state: State) -> None:
    without = {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
    assert len(without) < len(state)
    load_checkpoint(saved(tmp_path / "w.pth", without))


def test_a_larger_backbone_and_head_are_recognised(tmp_path: Path) -> None:
    model = random_model(Dialect.NVLABS, Arch.B2, outputs=3, head_channels=768)
    spec = load_checkpoint(saved(tmp_path / "w.pth", to_dialect(model, Dialect.NVLABS))).model.spec
    assert (spec.arch, spec.head_channels, spec.num_outputs) == (Arch.B2, 768, 3)


def test_safetensors_metadata_is_read(tmp_path: Path, state: State) -> None:
    metadata = {"classes": '["a", "b", "c", "d", "e"]', "mean": "1,2,3", "std": "[4, 5, 6]", "task": "pose"}
    save_file(state, tmp_path / "w.safetensors", metadata)
    loaded = load_checkpoint(tmp_path / "w.safetensors")
    assert loaded.record.classes == ("a", "b", "c", "d", "e")
    assert (loaded.record.mean, loaded.record.std) == ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    assert loaded.model.spec.task is TaskName.POSE


@pytest.mark.parametrize("meta", [{"dataset_meta": {"classes": tuple("abcde")}}, {"CLASSES": tuple("abcde")}])
def test_the_class_names_of_mmengine_and_mmcv_are_read(tmp_path: Path, state: State, meta: dict[str, Any]) -> None:
    palette = [[0, 0, index] for index in range(5)]
    target = meta.get("dataset_meta", meta)
    target["PALETTE" if "CLASSES" in target else "palette"] = palette
    loaded = load_checkpoint(saved(tmp_path / "w.pth", {"meta": meta, "state_dict": state}))
    assert loaded.record.classes == tuple("abcde")
    assert loaded.record.palette is not None
    assert loaded.record.palette[4] == (0, 0, 4)


def test_a_head_that_resizes_in_another_way_is_refused(tmp_path: Path, state: State) -> None:
    meta = {"cfg": "model = dict(decode_head=dict(align_corners=True))"}
    assert "align_corners=True" in failure(saved(tmp_path / "w.pth", {"meta": meta, "state_dict": state})).what


@pytest.mark.parametrize("wrap", [lambda model: model, lambda model: {"model": model, "epoch": 2}])
def test_a_module_saved_whole_loads_without_its_code(tmp_path: Path, wrap: Callable[[Any], Any]) -> None:
    model = random_model(Dialect.MMSEG)
    loaded = load_checkpoint(saved(tmp_path / "w.pth", wrap(model)))
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(loaded.model(image), model(image))


def test_loading_leaves_the_file_and_other_loads_alone(tmp_path: Path, state: State) -> None:
    path = saved(tmp_path / "w.pth", state)
    before = path.read_bytes()
    first = load_checkpoint(path).model
    with torch.no_grad():
        for parameter in first.parameters():
            parameter.zero_()
    assert path.read_bytes() == before
    assert float(load_checkpoint(path).model.state_dict()["head.predict.weight"].abs().sum()) > 0


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"arch": Arch.B1}, "say arch b0; b1 was asked for"),
        ({"num_outputs": 19}, "say num-classes 5; 19 was asked for"),
        ({"task": TaskName.POSE}, "say task seg; pose was asked for"),
    ],
)
def test_what_the_user_believes_is_checked(tmp_path: Path, state: State, wishes: Any, message: str) -> None:
    error = failure(saved(tmp_path / "w.pth", state), **wishes)
    assert message in error.what
    assert error.fix in ("--arch b0", "--num-classes 5", "--task seg")


def test_missing_extra_and_misshapen_parameters_are_listed(tmp_path: Path, state: State) -> None:
    del state["backbone.layers.1.1.0.attn.attn.in_proj_bias"]
    state["backbone.layers.1.1.0.gamma"] = torch.zeros(3)
    state["backbone.layers.2.2.weight"] = torch.zeros(7)
    what = failure(saved(tmp_path / "w.pth", state)).what
    assert "1 missing (backbone.layers.1.1.0.attn.attn.in_proj_bias)" in what
    assert "1 extra (backbone.layers.1.1.0.gamma)" in what
    assert "1 misshapen (backbone.layers.2.2.weight [7] for [160])" in what


def test_long_lists_are_cut_and_counted(tmp_path: Path, state: State) -> None:
    lost = {name: tensor for name, tensor in state.items() if not name.startswith("backbone.layers.1.1.0.")}
    what = failure(saved(tmp_path / "w.pth", lost)).what
    assert "18 missing (" in what
    assert "... 10 more)" in what
    assert what.count("backbone.layers.1.1.0.") == 8


def test_an_unknown_depth_is_named_unless_the_arch_is_given(tmp_path: Path, state: State) -> None:
    shallow = {name: tensor for name, tensor in state.items() if not name.startswith("backbone.layers.3.1.1.")}
    path = saved(tmp_path / "w.pth", shallow)
    assert "2-2-2-1 layers and 32 channels" in failure(path).what
    assert "missing (backbone.layers.3.1.1." in failure(path, arch=Arch.B0).what


def test_a_head_without_its_last_layer(tmp_path: Path, state: State) -> None:
    del state["decode_head.conv_seg.weight"]
    assert (
        "lacks the last layer of the head, decode_head.conv_seg.weight"
        in failure(saved(tmp_path / "w.pth", state)).what
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_non_finite_weights_are_named(tmp_path: Path, state: State, value: float) -> None:
    state["decode_head.convs.2.bn.running_var"][5] = value
    what = failure(saved(tmp_path / "w.pth", state)).what
    assert "1 tensors" in what
    assert "decode_head.convs.2.bn.running_var" in what


def test_quantised_weights_are_refused(tmp_path: Path, state: State) -> None:
    state["decode_head.conv_seg.weight"] = torch.zeros(5, 256, 1, 1, dtype=torch.int8)
    assert "decode_head.conv_seg.weight torch.int8" in failure(saved(tmp_path / "w.pth", state)).what


def test_another_network_is_no_segformer(tmp_path: Path) -> None:
    error = failure(saved(tmp_path / "w.pth", {"conv1.weight": torch.zeros(3, 3), "fc.bias": torch.zeros(2)}))
    assert "conv1.weight, fc.bias" in error.what
    assert "Hugging Face" in error.expected


@pytest.mark.parametrize("dialect", [Dialect.MMSEG, Dialect.NVLABS, Dialect.HUGGING_FACE])
@pytest.mark.parametrize("prefixed", [True, False])
def test_a_bare_backbone_is_refused_by_name(tmp_path: Path, dialect: Dialect, prefixed: bool) -> None:
    model = random_model(dialect)
    prefix = TABLES[dialect].encoder_prefix
    bare = {
        name if prefixed else name.removeprefix(prefix): tensor
        for name, tensor in to_dialect(model, dialect).items()
        if name.startswith(prefix)
    }
    path = saved(tmp_path / "imagenet.pth", bare)
    assert f"bare {TABLES[dialect].title} backbone" in failure(path).what


def test_architectures_are_told_apart_by_what_infer_reads() -> None:
    assert len({(spec.depths, spec.widths[0]) for spec in ARCH_SPECS.values()}) == len(ARCH_SPECS)


@pytest.mark.camvid
def test_the_camvid_weights_load(camvid_weights: Path) -> None:
    loaded = load_checkpoint(camvid_weights, arch=Arch.B0, num_outputs=11, task=TaskName.SEG)
    assert loaded.dialect is Dialect.MMSEG
    assert loaded.record.classes is not None
    assert loaded.record.classes[3] == "road"
