"""Range files: the same bytes for the same ranges, and no use for another model or after a change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segpp_deploy.config import Arch, CalibrationMethod, Lowering, Preset, Size
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.graph.precision.half import LARGEST_HALF
from segpp_deploy.graph.precision.layers import LayerKind, find_layers
from segpp_deploy.graph.precision.observe import find_observed
from segpp_deploy.graph.precision.ranges import (
    CalibrationImages,
    CalibrationRanges,
    TensorRange,
    check_ranges,
    fingerprint_model,
    format_ranges,
    read_ranges,
    round_range,
    tensors_unsafe_in_fp16,
    write_ranges,
)
from segpp_deploy.model.plan import PRESETS
from tests.graph.precision.conftest import SIZE, GraphMaker
from tests.support.tiny_graphs import tiny_metadata


def metadata_of(preset: Preset) -> ExportMetadata:
    return replace(tiny_metadata(), plan=PRESETS[preset], size=SIZE)


def ranges_of(model: ir.Model, metadata: ExportMetadata) -> CalibrationRanges:
    observed = find_observed(model)
    return CalibrationRanges(
        schema_version=1,
        model=fingerprint_model(model, metadata),
        arch=metadata.arch,
        mode=metadata.mode,
        size=metadata.size.hw,
        method=CalibrationMethod.MSE,
        images=CalibrationImages(count=2, sha256="ab" * 32),
        data="scenes#train",
        tool_version="0.0.0",
        tensors={
            name: TensorRange(amax=0.1 + 1 / 3 if name in observed.of_layers else None, max_abs=2.0)
            for name in observed.source_of
        },
    )


@pytest.fixture
def ranges(make_graph: GraphMaker) -> CalibrationRanges:
    return ranges_of(make_graph(Preset.FAST), metadata_of(Preset.FAST))


@pytest.fixture
def written(ranges: CalibrationRanges, tmp_path: Path) -> Path:
    write_ranges(tmp_path / "fast.yaml", ranges)
    return tmp_path / "fast.yaml"


def with_tensors(ranges: CalibrationRanges, **changes: TensorRange) -> CalibrationRanges:
    return ranges.model_copy(update={"tensors": {**ranges.tensors, **changes}})


def test_what_is_written_is_read(ranges: CalibrationRanges, written: Path) -> None:
    assert read_ranges(written) == ranges
    assert list(read_ranges(written).tensors) == list(ranges.tensors)
    assert format_ranges(read_ranges(written)) == written.read_text()
    assert max(map(len, written.read_text().splitlines())) < 120


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("encoder.stages.0.layers.1.attention.value", False),  # one head: folded with the output layer
        ("head.stages.2.0", False),
        ("encoder.stages.1.layers.1.attention.value", True),
        ("encoder.stages.0.layers.1.attention.query", True),
    ],
)
def test_the_fingerprint_leaves_out_products_of_weights(name: str, counts: bool, make_graph: GraphMaker) -> None:
    metadata, model = tiny_metadata(), make_graph(Preset.FAST)
    before = fingerprint_model(model, metadata)
    weight = next(layer for layer in find_layers(model) if layer.name == name).weight
    weight.const_value = ir.tensor(np.nextafter(weight.const_value.numpy(), np.float32(9)))
    assert (fingerprint_model(model, metadata) != before) is counts


def test_one_fingerprint_for_both_lowerings(make_graph: GraphMaker) -> None:
    metadata = metadata_of(Preset.FAST)
    portable, plugin = (fingerprint_model(make_graph(Preset.FAST, lowering), metadata) for lowering in Lowering)
    assert portable == plugin
    assert portable == fingerprint_model(make_graph(Preset.FAST), replace(metadata, size=Size(640, 480), batch=None))


@pytest.mark.parametrize("lowering", Lowering)
def test_ranges_serve_both_lowerings(lowering: Lowering, ranges: CalibrationRanges, make_graph: GraphMaker) -> None:
    assert check_ranges(ranges, make_graph(Preset.FAST, lowering), metadata_of(Preset.FAST)) == ()


def test_another_size_is_noted(ranges: CalibrationRanges, make_graph: GraphMaker) -> None:
    metadata = replace(metadata_of(Preset.FAST), size=Size(640, 480))
    (note,) = check_ranges(ranges, make_graph(Preset.FAST), metadata, "fast.yaml")
    assert note == f"fast.yaml was calibrated at {SIZE}, the model takes 640x480: ranges may differ."


def test_ranges_of_another_mode(ranges: CalibrationRanges, make_graph: GraphMaker) -> None:
    with pytest.raises(SegppError, match=r"fast\.yaml was made for b0 fast\.") as caught:
        check_ranges(ranges, make_graph(Preset.ORIGINAL), metadata_of(Preset.ORIGINAL), "fast.yaml")
    assert "b0 original" in caught.value.expected
    assert "segpp-deploy calibrate" in caught.value.fix


def test_ranges_of_another_backbone(ranges: CalibrationRanges, make_graph: GraphMaker) -> None:
    with pytest.raises(SegppError, match="was made for b0 fast"):
        check_ranges(ranges, make_graph(Preset.FAST), replace(metadata_of(Preset.FAST), arch=Arch.B1))


@pytest.mark.parametrize("kind", [kind for kind in LayerKind if kind not in (LayerKind.HEAD_STAGE, LayerKind.OTHER)])
def test_ranges_of_other_weights(kind: LayerKind, ranges: CalibrationRanges, make_graph: GraphMaker) -> None:
    model = make_graph(Preset.FAST)
    layers = [layer for layer in find_layers(model) if layer.kind is kind]
    if not layers:
        pytest.skip(f"folded exports have no {kind}")
    layer = layers[-1]  # the values of the first stage are products, which do not count
    changed = layer.weight.const_value.numpy().copy()
    changed.flat[3] = np.nextafter(changed.flat[3], np.float32(1))
    layer.weight.const_value = ir.tensor(changed)
    with pytest.raises(SegppError, match="with other weights or another merge plan"):
        check_ranges(ranges, model, metadata_of(Preset.FAST))


def test_a_plan_of_the_same_name(ranges: CalibrationRanges, make_graph: GraphMaker) -> None:
    metadata = replace(metadata_of(Preset.FAST), plan=replace(PRESETS[Preset.HQ], name="fast"))
    with pytest.raises(SegppError, match="another merge plan"):
        check_ranges(ranges, make_graph(Preset.FAST), metadata)


@pytest.mark.parametrize("left", [{}, {"div": TensorRange(amax=None, max_abs=1.0)}])
def test_a_tensor_without_a_range(left, ranges: CalibrationRanges, make_graph: GraphMaker) -> None:
    tensors = {**{name: seen for name, seen in ranges.tensors.items() if name != "div"}, **left}
    incomplete = ranges.model_copy(update={"tensors": tensors})
    with pytest.raises(
        SegppError, match=r"no range for the tensor 'div' of layer encoder\.stages\.0\.patch_embed"
    ) as caught:
        check_ranges(incomplete, make_graph(Preset.FAST), metadata_of(Preset.FAST))
    made_at = "x".join(map(str, ranges.size))
    assert f"made at {made_at}" in caught.value.what, "another size may merge other layers away"
    assert f"at {metadata_of(Preset.FAST).size}" in caught.value.expected


Change = Callable[[str], str]
DAMAGES: dict[str, tuple[Change, str]] = {
    "edited": (lambda text: text.replace("max_abs: 2.0", "max_abs: 3.0", 1), "was edited or cut short"),
    "cut after a tensor": (lambda text: "".join(text.splitlines(keepends=True)[:-3]), "was edited or cut short"),
    "cut in the head": (lambda text: text[:400], "cannot be used|edited|not YAML"),
    "cut inside a line": (lambda text: text[:-9], "is not YAML"),
    "another method": (lambda text: text.replace("method: mse", "method: max"), "was edited"),
    "unknown method": (lambda text: text.replace("method: mse", "method: guess"), "cannot be used: method"),
    "a word for a number": (lambda text: text.replace("max_abs: 2.0", "max_abs: big", 1), r"cannot be used: tensors\."),
    "below zero": (lambda text: text.replace("max_abs: 2.0", "max_abs: -2.0", 1), r"cannot be used: tensors\."),
    "infinite": (lambda text: text.replace("max_abs: 2.0", "max_abs: .inf", 1), r"cannot be used: tensors\."),
    "newer": (lambda text: text.replace("schema_version: 1", "schema_version: 2"), "has the schema version 2"),
    "another file": (lambda text: "stages: []", "is not a range file"),
    "a list": (lambda text: "- 1", "is not a range file"),
    "not YAML": (lambda text: "{", "is not YAML"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES)
def test_damaged_files(damage: Change, message: str, written: Path) -> None:
    written.write_text(damage(written.read_text()))
    with pytest.raises(SegppError, match=message) as caught:
        read_ranges(written)
    assert "segpp-deploy calibrate" in caught.value.fix


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(SegppError, match="No such file"):
        read_ranges(tmp_path / "none.yaml")


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SegppError, match="is not YAML"):
        read_ranges(tmp_path / "a.yaml")


def test_thresholds_are_positive(ranges: CalibrationRanges) -> None:
    zero = with_tensors(ranges, div=TensorRange(amax=0.0, max_abs=0.0), other=TensorRange(max_abs=9.0))
    assert zero.thresholds()["div"] == 1.0
    assert "other" not in zero.thresholds()
    assert all(amax > 0 for amax in zero.thresholds().values())


def test_what_fp16_cannot_hold(ranges: CalibrationRanges) -> None:
    assert tensors_unsafe_in_fp16(ranges) == ()
    large = with_tensors(ranges, a=TensorRange(max_abs=LARGEST_HALF * 2), b=TensorRange(max_abs=LARGEST_HALF / 3))
    assert tensors_unsafe_in_fp16(large) == ("a", "b")
    assert tensors_unsafe_in_fp16(large, bound=LARGEST_HALF) == ("a",)


@settings(deadline=None, max_examples=30)
@given(st.floats(2.0**-126, 2.0**127, width=32))
def test_rounding_goes_up_and_is_stable(value: float) -> None:
    rounded = round_range(value)
    assert value <= rounded <= value * (1 + 2e-5)
    assert round_range(rounded) == rounded
