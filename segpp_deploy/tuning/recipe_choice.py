"""From what the user asked for to a recipe: ranges, layers, what must stay higher, and where int8 pays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import onnx_ir as ir

from segpp_deploy import commands
from segpp_deploy.config import Int8Layers, Precision
from segpp_deploy.engine.precision_record import KeptLayers, KeptReason, RangesUsed
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.graph_file import GraphFile
from segpp_deploy.graph.precision.half import layers_beyond_half
from segpp_deploy.graph.precision.layers import Layer, find_layers, tensor_name
from segpp_deploy.graph.precision.qdq import DEFAULT_KINDS, QUANTIZABLE_KINDS
from segpp_deploy.graph.precision.ranges import CalibrationRanges, check_ranges, read_ranges, tensors_unsafe_in_fp16
from segpp_deploy.graph.precision.recipe import PrecisionRecipe
from segpp_deploy.progress import Progress
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.registry import TARGETS, open_target
from segpp_deploy.runtimes.target import TargetInfo
from segpp_deploy.tuning.calibration.calibration import calibrate_graph
from segpp_deploy.tuning.calibration.options import CalibrationSource, RangesFile
from segpp_deploy.tuning.candidates import CandidateBench
from segpp_deploy.tuning.int8_layers import KindCost, leave_out_slower, measure_kinds


class NothingFasterError(SegppError):
    """No kind of layers is faster in int8 on this machine."""


@dataclass(frozen=True)
class RecipeChoice:
    """A recipe and how it came about.

    Args:
        recipe: what to do.
        layers: all layers of the graph.
        ranges: where the ranges came from.
        kept: layers that stay in a higher precision, and why.
        costs: by kind of layers, where it was measured.
        notes: what the user should know.
    """

    recipe: PrecisionRecipe
    layers: tuple[Layer, ...]
    ranges: RangesUsed | None = None
    kept: tuple[KeptLayers, ...] = ()
    costs: tuple[KindCost, ...] = field(default=())
    notes: tuple[str, ...] = ()


def choose_recipe(
    graph: GraphFile,
    precision: Precision,
    calibration: CalibrationSource | None,
    int8_layers: Int8Layers,
    bench: CandidateBench,
    progress: Progress,
) -> RecipeChoice:
    """Choose the recipe that takes a float32 export to fp16 or int8 for the bench's target.

    Args:
        graph: the export.
        precision: fp16 or int8.
        calibration: where ranges come from.
        int8_layers: whether speed decides which layers int8 covers.
        bench: measures it.
        progress: told about each step.

    Raises:
        NothingFasterError: int8 pays nowhere, where speed was to decide.
        SegppError: int8 without ranges, or ranges that do not belong to the graph.
    """
    model = ir.from_proto(graph.model)
    layers = find_layers(model)
    ranges, source, notes = _find_ranges(graph, model, calibration, progress)
    used = None if ranges is None else _describe_ranges(ranges, source)
    if precision is Precision.FP16:
        return _choose_half(layers, ranges, used, notes)
    if ranges is None:
        raise SegppError(
            "int8 needs to know the range of every tensor.",
            "a range file, a data set or a directory of pictures like those the engine will see.",
            commands.calibrate(graph.path) + ", then " + commands.option("calibration", commands.RANGES),
        )
    choice = _choose_int8(layers, bench.built_for, ranges, used, notes)
    is_measured = int8_layers is Int8Layers.FASTER and bench.is_own_target
    return _keep_faster(choice, bench, progress) if is_measured else choice


def _choose_half(
    layers: tuple[Layer, ...], ranges: CalibrationRanges | None, used: RangesUsed | None, notes: tuple[str, ...]
) -> RecipeChoice:
    unsafe = () if ranges is None else tensors_unsafe_in_fp16(ranges)
    too_large = layers_beyond_half(layers)
    kept = tuple(
        KeptLayers(reason=reason, names=names)
        for reason, names in ((KeptReason.OVERFLOW, unsafe), (KeptReason.WEIGHTS, too_large))
        if names
    )
    if ranges is None:
        notes = (*notes, "Whether values overflow in fp16 was not checked; calibration does it.")
    if unsafe:
        notes = (*notes, f"Float32 keeps {len(unsafe)} tensors that could overflow in fp16; the manifest lists them.")
    return RecipeChoice(PrecisionRecipe(Precision.FP16, keep_fp32=unsafe), layers, used, kept, notes=notes)


def _choose_int8(
    layers: tuple[Layer, ...],
    target: TargetName,
    ranges: CalibrationRanges,
    used: RangesUsed | None,
    notes: tuple[str, ...],
) -> RecipeChoice:
    recipe = cover_with_int8(layers, target, ranges.thresholds())
    if recipe.rest is Precision.FP16:
        recipe = replace(recipe, keep_fp32=tensors_unsafe_in_fp16(ranges))
    left = tuple(layer.name for layer in layers if layer.name not in recipe.layers)
    kept = (KeptLayers(reason=KeptReason.RECIPE, names=left),) if left else ()
    return RecipeChoice(recipe, layers, used, kept, notes=notes)


def cover_with_int8(layers: tuple[Layer, ...], target: TargetName, thresholds: Mapping[str, float]) -> PrecisionRecipe:
    """Return the recipe with every layer in int8 that a target takes in int8 and whose input has a threshold."""
    info = TARGETS[target]
    assert info.int8 is not None  # whoever asks for int8 elsewhere is refused before
    kinds = QUANTIZABLE_KINDS if info.int8.every_layer else DEFAULT_KINDS
    return PrecisionRecipe(
        Precision.INT8,
        rest=info.int8.rest if _has(info, info.int8.rest) else Precision.FP32,
        ranges=thresholds,
        layers=frozenset(
            layer.name for layer in layers if layer.kind in kinds and tensor_name(layer.input) in thresholds
        ),
        outputs=info.int8.outputs,
    )


def _has(info: TargetInfo, precision: Precision) -> bool:
    """Whether a target has a precision: of graphs always, of the runtime's own where this machine has it."""
    return precision in info.graph_precisions or precision in open_target(info.name).usable_precisions()


def _keep_faster(choice: RecipeChoice, bench: CandidateBench, progress: Progress) -> RecipeChoice:
    measured = measure_kinds(choice.layers, choice.recipe, bench, progress)
    recipe, costs = leave_out_slower(choice.layers, choice.recipe, measured, bench)
    if not recipe.layers:
        raise NothingFasterError(
            f"On this machine, int8 makes no kind of layers faster on the target {bench.target}.",
            "a CPU with integer instructions (AVX-512 VNNI, AMX, Arm dot product).",
            commands.option("precision", Precision.FP32)
            + ", or "
            + commands.option("int8-layers", Int8Layers.ALL)
            + " to build it nevertheless",
        )
    kept = list(choice.kept)
    for cost in costs:
        if cost.left_out:
            layers = (one for one in choice.layers if one.kind is cost.kind)
            names = tuple(one.name for one in layers if one.name in choice.recipe.layers)
            percent = round(100 * (1 / cost.speedup_without - 1), 1)
            kept.append(KeptLayers(reason=KeptReason.SPEED, names=names, cost_percent=percent))
    return replace(choice, recipe=recipe, kept=tuple(kept), costs=costs)


def _find_ranges(
    graph: GraphFile, model: ir.Model, source: CalibrationSource | None, progress: Progress
) -> tuple[CalibrationRanges | None, str, tuple[str, ...]]:
    if source is None:
        return None, "", ()
    if isinstance(source, RangesFile):
        ranges = read_ranges(source.path)
        return ranges, source.source, check_ranges(ranges, model, graph.metadata, source.source)
    calibration = calibrate_graph(graph, source, progress)
    return calibration.ranges, source.source, calibration.warnings


def _describe_ranges(ranges: CalibrationRanges, source: str) -> RangesUsed:
    return RangesUsed(
        source=source,
        data=ranges.data,
        method=ranges.method,
        images=ranges.images.count,
        images_sha256=ranges.images.sha256,
    )
