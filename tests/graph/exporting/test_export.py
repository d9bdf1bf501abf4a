"""Exported graphs: the contract, the custom nodes, and parity with PyTorch on real runtimes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from segpp_deploy.config import Arch, Lowering, Normalization, OutputKind, Preset, Size
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.exporting.deployable import Deployable
from segpp_deploy.graph.exporting.export import export_graph
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.model.dialects import Dialect
from segpp_deploy.model.plan import PRESETS, MergePlan, count_tokens
from segpp_deploy.model.segformer import SegFormer
from segpp_deploy.ops.declaration import DOMAIN
from tests.graph.conftest import DynamicExport
from tests.model.test_segformer import MIXED, WEIGHTED
from tests.support.exporting import (
    PICTURE_TO_LABELS,
    RAGGED,
    export,
    export_logits,
    request,
    run_onnxruntime,
    smooth_pictures,
    to_bytes,
)
from tests.support.random_models import keep_layers, random_model
from tests.support.tiny_graphs import tiny_metadata

SIZE = Size(128, 192)
LOGIT_BAR = 1e-4
ROUNDING = 5e-6  # of logits in the tens; CPUs add in other orders


@pytest.fixture(scope="module")
def model() -> SegFormer:
    return random_model(Dialect.MMSEG)


@pytest.mark.parametrize("preset", list(Preset))
def test_portable_graph_equals_pytorch(preset: Preset, model: SegFormer, tmp_path: Path) -> None:
    path = export_logits(model, preset, tmp_path / "m.onnx")
    assert set(domains(path)) == {""}
    picture = to_bytes(smooth_pictures(RAGGED))
    reference = Deployable(model, normalization=Normalization(), **PICTURE_TO_LABELS)
    with torch.inference_mode():
        expected = reference.logits(torch.from_numpy(picture)).numpy()
    np.testing.assert_allclose(run_onnxruntime(path, picture), expected, atol=LOGIT_BAR, rtol=ROUNDING)


@pytest.mark.parametrize("plan", [MIXED, WEIGHTED], ids=lambda plan: plan.name)
def test_any_batch_equals_pytorch(plan: MergePlan, model: SegFormer, dynamic_export: DynamicExport) -> None:
    """It takes thrice the time to trace: these plans hold all kinds of merging between them."""
    path = dynamic_export(plan).path
    assert set(domains(path)) == {""}
    for batch in (1, 3):
        assert_computes_the_same(path, model, plan, batch)


def test_a_fixed_batch_equals_pytorch(model: SegFormer, tmp_path: Path) -> None:
    path = export(model, Preset.FAST_PLUS, tmp_path / "m.onnx", RAGGED, batch=2).path
    assert_computes_the_same(path, model, PRESETS[Preset.FAST_PLUS], 2)


def assert_computes_the_same(path: Path, model: SegFormer, plan: MergePlan, batch: int) -> None:
    model.plan = plan
    pictures = smooth_pictures(RAGGED, batch)
    with torch.inference_mode():
        expected = model(pictures).numpy()
    np.testing.assert_allclose(run_onnxruntime(path, pictures.numpy()), expected, atol=LOGIT_BAR, rtol=ROUNDING)


def test_linear_heads_and_deeper_stages(tmp_path: Path) -> None:
    model = keep_layers(random_model(Dialect.HUGGING_FACE, Arch.B2, head_channels=768), (1, 1, 3, 1))
    with torch.no_grad():  # 768 random channels add up to logits of 92; the bar is for those of trained models
        model.head.predict.weight *= 0.25
    result = export(model, Preset.FAST_REUSE, tmp_path / "model.onnx", SIZE)
    pictures = smooth_pictures(SIZE)
    with torch.inference_mode():
        expected = model(pictures).numpy()
    np.testing.assert_allclose(run_onnxruntime(result.path, pictures.numpy()), expected, atol=LOGIT_BAR, rtol=ROUNDING)


@pytest.mark.parametrize("preset", [Preset.FAST, Preset.DOWNSAMPLE])
def test_uint8_to_labels(preset: Preset, model: SegFormer, tmp_path: Path) -> None:
    result = export(model, preset, tmp_path / "m.onnx", RAGGED, **PICTURE_TO_LABELS)
    image = to_bytes(smooth_pictures(RAGGED))
    labels = run_onnxruntime(result.path, image)
    assert labels.shape == (1, *RAGGED.hw)
    assert labels.dtype == np.uint8
    reference = Deployable(model, normalization=Normalization(), **PICTURE_TO_LABELS)
    with torch.inference_mode():
        assert (labels == reference(torch.from_numpy(image))[0].numpy()).mean() >= 0.999


def test_plugin_graph_holds_exactly_the_custom_nodes(model: SegFormer, tmp_path: Path) -> None:
    result = export(model, Preset.FAST, tmp_path / "m.onnx", RAGGED, lowering=Lowering.PLUGIN, **PICTURE_TO_LABELS)
    nodes = [node for node in onnx.load(result.path).graph.node if node.domain == DOMAIN]
    # B0 has two layers a stage: stages 1 and 2 merge keys and values, stages 3 and 4 merge queries and restore them.
    assert Counter(node.op_type for node in nodes) == {
        "TokenMatch": 8,
        "TokenMerge": 8,
        "TokenUnmerge": 4,
        "UpsampleArgmax": 1,
    }
    for node in nodes:
        lookup = {attribute.name: attribute.s for attribute in node.attribute if attribute.name.startswith("plugin")}
        assert lookup == {"plugin_version": b"1", "plugin_namespace": b"segpp"}
        assert len(node.input) == {"TokenUnmerge": 3, "TokenMerge": 2}.get(node.op_type, 1)


def test_a_cast_makes_the_labels_of_a_plugin_graph(model: SegFormer, tmp_path: Path) -> None:
    """TensorRT's plugin gives float16 where the ONNX node gives uint8; only a cast may make a uint8 output there."""
    result = export(model, Preset.HQ, tmp_path / "m.onnx", RAGGED, lowering=Lowering.PLUGIN, **PICTURE_TO_LABELS)
    graph = onnx.load(result.path).graph
    labels, last = graph.output[0], graph.node[-1]
    assert (last.op_type, last.domain, list(last.output)) == ("Cast", "", [labels.name])
    assert last.attribute[0].i == labels.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert [node.op_type for node in graph.node if list(node.output) == list(last.input)] == ["UpsampleArgmax"]


@pytest.mark.parametrize(("preset", "matches"), [(Preset.FAST, 8), (Preset.FAST_REUSE, 4), (Preset.ORIGINAL, 0)])
def test_reuse_matches_once_per_stage(preset: Preset, matches: int, model: SegFormer, tmp_path: Path) -> None:
    result = export(model, preset, tmp_path / "m.onnx", RAGGED, lowering=Lowering.PLUGIN, **PICTURE_TO_LABELS)
    graph = onnx.load(result.path).graph
    assert sum(node.op_type == "TokenMatch" for node in graph.node) == matches


def test_every_tensor_of_a_portable_graph_has_a_shape(dynamic_export: DynamicExport) -> None:
    require_shapes(dynamic_export(MIXED).path)


def test_every_tensor_of_a_plugin_graph_has_a_shape(model: SegFormer, tmp_path: Path) -> None:
    require_shapes(export(model, MIXED, tmp_path / "m.onnx", RAGGED, lowering=Lowering.PLUGIN, batch=None).path)


def require_shapes(path: Path) -> None:
    graph = onnx.load(path).graph
    known = {value.name: value for value in [*graph.value_info, *graph.output]}
    for node in graph.node:
        for name in node.output:
            for dim in known[name].type.tensor_type.shape.dim:
                assert dim.HasField("dim_value") or dim.dim_param == "batch", name


def test_tensor_names_survive_lowering(model: SegFormer, tmp_path: Path) -> None:
    """Calibration ranges are recorded on the portable graph and applied to either lowering, by name."""
    names = []
    for lowering in Lowering:
        path = export_logits(model, Preset.FAST, tmp_path / f"{lowering}.onnx", lowering=lowering)
        names.append({name for node in onnx.load(path).graph.node for name in node.output})
    portable, plugin = names
    assert plugin <= portable


def test_metadata_round_trip(dynamic_export: DynamicExport) -> None:
    result = dynamic_export(MIXED)
    stored = {entry.key: entry.value for entry in onnx.load(result.path).metadata_props}
    assert ExportMetadata.from_properties(stored, "m.onnx") == result.metadata
    assert result.metadata.plan == MIXED
    assert list(result.metadata.tokens) == count_tokens(MIXED, RAGGED.hw)
    assert set(stored) == {f"segpp.{key}" for key in result.metadata.to_dict()}


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({}, "holds no segpp"),
        ({"segpp.arch": "b0"}, "is not JSON"),
        ({"segpp.arch": '"b0"'}, "KeyError"),
        ({"segpp.arch": '"b9"'}, "ValueError"),
    ],
)
def test_bad_metadata(properties: dict[str, str], message: str) -> None:
    with pytest.raises(SegppError, match=message):
        ExportMetadata.from_properties(properties, "m.onnx")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("size", "[64]", "TypeError"),
        ("size", '["a", 64]', "ValueError"),
        ("tokens", "[]", "tokens has 0 entries, not 4"),
        ("palette", "[[0, 0, 0]]", "palette has 1 entries"),
    ],
)
def test_edited_metadata(key: str, value: str, message: str) -> None:
    properties = tiny_metadata().to_properties() | {f"segpp.{key}": value}
    with pytest.raises(SegppError, match=message):
        ExportMetadata.from_properties(properties, "m.onnx")


def test_a_seed_is_written_only_where_there_is_one() -> None:
    assert "segpp.seed" not in tiny_metadata().to_properties()
    seeded = replace(tiny_metadata(), seed=0)
    assert seeded.to_properties()["segpp.seed"] == "0"
    assert ExportMetadata.from_properties(seeded.to_properties(), "m.onnx") == seeded


def test_a_threshold_is_recorded_where_there_is_one() -> None:
    assert "segpp.threshold" not in tiny_metadata().to_properties()
    binary = replace(tiny_metadata(num_classes=2), threshold=0.4)
    assert ExportMetadata.from_properties(binary.to_properties(), "m.onnx") == binary
    assert (binary.trained_outputs, tiny_metadata().trained_outputs) == (1, 3)


def test_labels_of_one_class_are_refused() -> None:
    """Earlier versions exported a head with one output so, and every pixel was of class 0."""
    with pytest.raises(SegppError, match=r"m\.onnx cannot be read: .* no threshold"):
        ExportMetadata.from_properties(tiny_metadata(num_classes=1).to_properties(), "m.onnx")
    pose = tiny_metadata(OutputKind.HEATMAPS, num_classes=1)
    assert ExportMetadata.from_properties(pose.to_properties(), "m.onnx") == pose


def test_names_must_fit_the_model(model: SegFormer, tmp_path: Path) -> None:
    with pytest.raises(SegppError, match="4 class names"):
        export_graph(model, request(SIZE, 4), tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_interrupted_writing_leaves_the_old_file(
    model: SegFormer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "m.onnx"
    target.write_bytes(b"old")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(onnx, "save", interrupt)
    with pytest.raises(KeyboardInterrupt):
        export(model, Preset.ORIGINAL, target, RAGGED, **PICTURE_TO_LABELS)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def domains(path: Path) -> list[str]:
    loaded = onnx.load(path)
    assert not loaded.functions
    return [entry.domain for entry in loaded.opset_import]
