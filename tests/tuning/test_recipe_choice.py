"""Which recipe a target gets: what int8 covers, what stays higher, and what is said about it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import onnx_ir as ir
import pytest

from segpp_deploy.config import Lowering, Precision
from segpp_deploy.engine.precision_record import KeptReason, Placement
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.precision.half import LARGEST_HALF
from segpp_deploy.graph.precision.layers import LayerKind, find_layers
from segpp_deploy.graph.precision.ranges import write_ranges
from segpp_deploy.progress import no_progress
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.registry import TARGETS
from segpp_deploy.tuning import recipe_choice
from segpp_deploy.tuning.gate_options import PrecisionOptions
from segpp_deploy.tuning.int8_layers import KindCost
from segpp_deploy.tuning.recipe_choice import RecipeChoice, choose_recipe
from tests.workflows.conftest import SmallGraphs, ranges_of

HEAD = {LayerKind.HEAD_STAGE, LayerKind.HEAD_PREDICT}


@pytest.fixture
def bf16(monkeypatch: pytest.MonkeyPatch) -> list[Precision]:
    """What OpenVINO can do on a machine; tests change it."""
    usable = [Precision.FP32, Precision.INT8, Precision.BF16]
    monkeypatch.setattr(recipe_choice, "open_target", lambda name: SimpleNamespace(usable_precisions=lambda: usable))
    return usable


@pytest.fixture
def choose(small_graph: SmallGraphs, tmp_path: Path):
    def run(
        target: TargetName,
        precision: Precision = Precision.INT8,
        lowering: Lowering = Lowering.PORTABLE,
        placement: Placement = Placement.ALL,
        **max_abs: float,
    ) -> RecipeChoice:
        path = tmp_path / "ranges.yaml"
        write_ranges(path, ranges_of(small_graph(Lowering.PORTABLE), **max_abs))
        bench = SimpleNamespace(is_own_target=True, target=target)
        options = PrecisionOptions(calibration=str(path), placement=placement)
        return choose_recipe(small_graph(lowering), target, precision, options, bench, no_progress)  # type: ignore[arg-type]

    return run


def kinds_left(choice: RecipeChoice) -> set[LayerKind]:
    return {layer.kind for layer in choice.layers if layer.name not in choice.recipe.layers}


def test_cpus_cover_every_layer(choose) -> None:
    choice = choose(TargetName.CPU)
    assert kinds_left(choice) == set()
    assert (choice.recipe.rest, choice.recipe.outputs, choice.kept) == (Precision.FP32, True, ())
    assert choice.ranges is not None
    assert (choice.ranges.data, choice.ranges.images) == ("directory", 20)


def test_openvino_computes_the_rest_in_bf16_where_it_can(choose, bf16: list[Precision]) -> None:
    choice = choose(TargetName.OPENVINO)
    assert kinds_left(choice) == set()
    assert (choice.recipe.rest, choice.recipe.outputs) == (Precision.BF16, False)
    bf16.remove(Precision.BF16)
    assert choose(TargetName.OPENVINO).recipe.rest is Precision.FP32


@pytest.mark.parametrize("target", [TargetName.TENSORRT, TargetName.TENSORRT_RTX])
def test_gpus_leave_depthwise_and_the_head(choose, target: TargetName) -> None:
    choice = choose(target)
    assert kinds_left(choice) == {*HEAD, LayerKind.DEPTHWISE}
    (kept,) = choice.kept
    assert kept.reason is KeptReason.RECIPE
    assert set(kept.names) == {layer.name for layer in choice.layers} - choice.recipe.layers
    assert (choice.recipe.rest, choice.recipe.outputs) == (Precision.FP16, False)


def test_both_lowerings_get_one_recipe(choose) -> None:
    plugin, portable = (
        choose(TargetName.TENSORRT, lowering=lowering) for lowering in (Lowering.PLUGIN, Lowering.PORTABLE)
    )
    assert plugin.recipe == portable.recipe


@pytest.mark.parametrize("precision", [Precision.FP16, Precision.INT8])
def test_what_could_overflow_in_fp16_stays(choose, precision: Precision) -> None:
    choice = choose(TargetName.TENSORRT, precision, conv2d=LARGEST_HALF / 2, div=LARGEST_HALF / 5)
    assert choice.recipe.keep_fp32 == ("conv2d",)
    if precision is Precision.FP16:
        (kept,) = choice.kept
        assert (kept.reason, kept.names) == (KeptReason.OVERFLOW, ("conv2d",))
        assert any("Float32 keeps 1 tensors" in note for note in choice.notes)


def test_weights_that_fp16_cannot_hold_are_listed(small_graph: SmallGraphs) -> None:
    model = ir.from_proto(small_graph(Lowering.PORTABLE).model)
    layer = find_layers(model)[3]
    layer.weight.const_value = ir.tensor(layer.weight.const_value.numpy() + 2 * LARGEST_HALF)
    choice = recipe_choice._choose_half(find_layers(model), None, None, ())
    assert [(kept.reason, kept.names) for kept in choice.kept] == [(KeptReason.WEIGHTS, (layer.name,))]
    assert "calibration does it" in choice.notes[0]


def test_int8_without_ranges(small_graph: SmallGraphs) -> None:
    graph = small_graph(Lowering.PORTABLE)
    with pytest.raises(SegppError, match="needs to know the range") as error:
        choose_recipe(graph, TargetName.CPU, Precision.INT8, PrecisionOptions(), None, no_progress)  # type: ignore[arg-type]
    assert str(graph.path) in error.value.fix


def test_a_range_that_is_missing(small_graph: SmallGraphs, tmp_path: Path) -> None:
    graph = small_graph(Lowering.PORTABLE)
    ranges = ranges_of(graph)
    tensors = {name: seen for name, seen in ranges.tensors.items() if name != "conv2d"}
    write_ranges(tmp_path / "r.yaml", ranges.model_copy(update={"tensors": tensors}))
    with pytest.raises(SegppError, match="no range for the tensor 'conv2d'"):
        choose_recipe(
            graph,
            TargetName.CPU,
            Precision.INT8,
            PrecisionOptions(calibration=str(tmp_path / "r.yaml")),
            None,  # type: ignore[arg-type]
            no_progress,
        )


def test_int8_that_pays_nowhere_is_refused(choose, monkeypatch: pytest.MonkeyPatch) -> None:
    def every_kind_costs(layers, recipe, bench, progress) -> tuple[KindCost, ...]:
        return tuple(KindCost(kind, 1.5) for kind in {layer.kind for layer in layers})

    monkeypatch.setattr(recipe_choice, "measure_placement", every_kind_costs)
    monkeypatch.setattr("segpp_deploy.tuning.int8_layers.speedup_of", lambda *_: 1.5)
    with pytest.raises(SegppError, match="int8 makes no kind of layers faster on the target cpu") as error:
        choose(TargetName.CPU, placement=Placement.MEASURED)
    assert "--placement all" in error.value.fix


@pytest.mark.parametrize("info", TARGETS.values(), ids=str)
def test_the_table_says_what_int8_covers_where_there_is_int8(info) -> None:
    assert (info.int8 is not None) is (Precision.INT8 in info.precisions)
    assert info.int8 is None or info.int8.rest in info.precisions
