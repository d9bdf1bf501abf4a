"""From an exported file to an engine in the wanted precision: calibrate, place, gate, build, report."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from segpp_deploy.config import Lowering, OutputKind, Precision
from segpp_deploy.data.selection import DIRECTORY, CalibrationSet, choose_images
from segpp_deploy.engine.build import (
    BuildOptions,
    BuildResult,
    build_graph,
    check_output,
    require_lowering,
    resolve_settings,
)
from segpp_deploy.engine.precision_record import PrecisionRecord
from segpp_deploy.errors import SegppError
from segpp_deploy.files import require_writable
from segpp_deploy.graph.graph_file import GraphFile, read_graph
from segpp_deploy.graph.precision.recipe import REWRITTEN, PrecisionRecipe, apply_recipe, reduced_layers
from segpp_deploy.plugin_library.library import find_plugin_library
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.report.numbers import format_percent
from segpp_deploy.runtimes.registry import TARGETS, open_target, resolve_auto
from segpp_deploy.tuning.accuracy_gate import AccuracyGate, GateResult
from segpp_deploy.tuning.candidates import CandidateBench
from segpp_deploy.tuning.int8_layers import speedup_of
from segpp_deploy.tuning.judge import Judge
from segpp_deploy.tuning.options import PrecisionOptions
from segpp_deploy.tuning.recipe_choice import RecipeChoice, choose_recipe
from segpp_deploy.tuning.speed_profile import profile_beside_float32
from segpp_deploy.workflows.build_engine.report import PrecisionReport, describe_speedup, require_report, write_report


@dataclass(frozen=True)
class EngineBuild:
    """A written engine and how it came to its precision.

    Args:
        result: the engine.
        notes: what the user should know.
        report: None where the graph was built as exported.
    """

    result: BuildResult
    notes: tuple[str, ...]
    report: PrecisionReport | None = None

    def summary(self) -> str:
        """Return one line, or two with an accuracy gate."""
        result = self.result
        written = f"Wrote {result.path} ({result.size_bytes / 2**20:.1f} MiB) and its manifest"
        record = result.manifest.precision_record
        if record is None or record.gate is None:
            return written
        gate = record.gate
        return (
            f"{written}\nmIoU {format_percent(gate.engine_miou)}, float32 {format_percent(gate.reference_miou)} on "
            f"{gate.images} pictures of {gate.data}: {gate.lost_points:.2f} of {gate.allowed_points:g} points lost"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of `build-engine --json`."""
        record = self.result.manifest.precision_record
        return {
            **self.result.to_dict(),
            "notes": list(self.notes),
            "precision_record": None if record is None else record.model_dump(mode="json"),
        }


def run_build(
    source: Path,
    output: Path,
    options: BuildOptions,
    precision: PrecisionOptions,
    report_dir: Path | None = None,
    progress: Progress = no_progress,
) -> EngineBuild:
    """Build an engine; fp16 and int8 are made from the float32 export on the way.

    Raises:
        SegppError: what `build_engine` raises; missing or foreign ranges; data that does not fit. What can be known
            before the work begins is.
        CheckFailedError: nothing passed the accuracy gate. No engine is written then.
    """
    check_output(source, output)
    progress("Reading the graph", 0, 1)
    graph = read_graph(source)
    options = replace(options, target=resolve_auto(options.target))
    wanted = options.precision or graph.metadata.precision
    rewrites = wanted in REWRITTEN and graph.metadata.precision is Precision.FP32
    if not rewrites:
        _refuse_unused(graph, precision, wanted, report_dir)
    if not rewrites and precision.gate_points is None and report_dir is None:
        result = build_graph(graph, output, options, progress=progress)
        return EngineBuild(result, result.notes)
    _check_request(graph, output, options, wanted if rewrites else None)
    if report_dir is not None:
        require_report(report_dir)
    build = _Build(graph, output, options, precision, progress, explain=report_dir is not None)
    made = build.rewrite(wanted) if rewrites else build.leave_to_runtime(wanted)
    if report_dir is not None and made.report is not None:
        write_report(made.report, report_dir)
    return made


class _Build:
    """What comes before the engine is written, and the writing; `explain` measures what only a report shows."""

    def __init__(
        self,
        graph: GraphFile,
        output: Path,
        options: BuildOptions,
        precision: PrecisionOptions,
        progress: Progress,
        *,
        explain: bool,
    ) -> None:
        self._graph = graph
        self._output = output
        self._options = options
        self._precision = precision
        self._progress = progress
        self._explain = explain
        self._bench = CandidateBench(graph, options.target, options.threads)
        self._held_out = _choose_held_out(graph, precision)

    def rewrite(self, wanted: Precision) -> EngineBuild:
        """Find the recipe, rewrite the graph and build it."""
        target = self._options.target
        choice = choose_recipe(self._graph, target, wanted, self._precision, self._bench, self._progress)
        gate = None
        if self._held_out is not None:
            gate = self._open_gate(self._held_out).find_passing(choice, self._explain)
        recipe = choice.recipe if gate is None else gate.recipe
        model = apply_recipe(self._graph.model, recipe)
        graph = replace(self._graph, model=model, metadata=self._graph.metadata.with_precision(wanted))
        record = PrecisionRecord(
            rest=recipe.rest,
            quantized=tuple(sorted(reduced_layers(model, wanted))),
            ranges=choice.ranges,
            kept=(*choice.kept, *(() if gate is None else gate.kept)),
            gate=None if gate is None else gate.outcome,
            placement=self._precision.placement,
            speedup_over_fp32=self._measure_speedup(recipe) if choice.costs else None,
        )
        return self._write(graph, record, replace(choice, recipe=recipe), gate)

    def leave_to_runtime(self, precision: Precision) -> EngineBuild:
        """Build in the precision that the graph has, or that the runtime makes of it, if the engine passes the gate."""
        recipe = PrecisionRecipe(precision, rest=precision)
        differs = precision is not self._graph.metadata.precision
        gate = None
        if self._held_out is not None:
            gate = self._open_gate(self._held_out).check(recipe)
        record = PrecisionRecord(
            rest=precision,
            quantized=(),
            gate=None if gate is None else gate.outcome,
            speedup_over_fp32=self._measure_speedup(recipe) if differs else None,
        )
        return self._write(self._graph, record, RecipeChoice(recipe, layers=()), gate)

    def _open_gate(self, held_out: CalibrationSet) -> AccuracyGate:
        data, points = self._precision.gate_data, self._precision.gate_points
        assert data is not None
        assert points is not None
        with self._bench.open(None) as reference:
            judge = Judge(data, held_out, reference, self._progress)
        return AccuracyGate(self._bench, judge, points, self._progress)

    def _measure_speedup(self, recipe: PrecisionRecipe) -> float:
        self._progress("Measuring beside float32", 0, 1)
        return round(speedup_of(recipe, None, self._bench), 3)

    def _write(
        self, graph: GraphFile, record: PrecisionRecord, choice: RecipeChoice, gate: GateResult | None
    ) -> EngineBuild:
        result = build_graph(graph, self._output, self._options, record, self._progress)
        speedup, profile = record.speedup_over_fp32, None
        notes = [*choice.notes, *result.notes]
        if speedup is not None:
            notes.append(describe_speedup(speedup, result.manifest.precision))
            if self._explain or speedup < 1:
                profile = profile_beside_float32(choice.recipe, self._bench, self._progress)
                notes.append(profile.explain())
        report = PrecisionReport(self._output, self._graph.metadata, result.manifest, choice.costs, gate, profile)
        if self._judges_on_what_it_calibrated_on(choice):
            notes.append(f"{self._precision.gate_data} is what calibration saw; held-out pictures would say more.")
        return EngineBuild(result, tuple(notes), report)

    def _judges_on_what_it_calibrated_on(self, choice: RecipeChoice) -> bool:
        if self._held_out is None or choice.ranges is None:
            return False
        same_split = choice.ranges.data == self._held_out.data != DIRECTORY
        return same_split or choice.ranges.source == self._precision.gate_data


def _check_request(graph: GraphFile, output: Path, options: BuildOptions, rewrites_to: Precision | None) -> None:
    """Find out before hours of work what would end it.

    Args:
        graph: the export.
        output: the engine file.
        options: what to build; the target is resolved.
        rewrites_to: the precision the graph is rewritten to; None where it stays.
    """
    info = TARGETS[options.target]
    require_lowering(info, graph.metadata, graph.path)
    if rewrites_to is not None and rewrites_to not in info.graph_precisions:
        raise SegppError(
            f"The target {info.name} does not compute in {rewrites_to}.",
            f"one of: {', '.join(map(str, info.precisions))}.",
            f"--precision {info.precisions[-1]}, or another --target.",
        )
    metadata = graph.metadata if rewrites_to is None else graph.metadata.with_precision(rewrites_to)
    resolve_settings(info.name, metadata, graph.path, options)
    require_writable(output)
    target = open_target(info.name)
    if metadata.lowering is Lowering.PLUGIN:
        find_plugin_library()
    if not info.builds_elsewhere:
        target.require_device()


def _choose_held_out(graph: GraphFile, precision: PrecisionOptions) -> CalibrationSet | None:
    if precision.gate_data is None:
        return None
    if graph.metadata.output_kind is OutputKind.HEATMAPS:
        raise SegppError(
            "The accuracy gate cannot judge pose models yet.",
            "a segmentation model.",
            "Leave --accuracy-gate out and compare the heatmaps yourself.",
        )
    return choose_images(precision.gate_data, precision.gate_images, graph.metadata)


def _refuse_unused(graph: GraphFile, precision: PrecisionOptions, wanted: Precision, report_dir: Path | None) -> None:
    """Options that change nothing are mistakes."""
    unused = {"--calibration": precision.calibration}
    if precision.gate_points is None and wanted is graph.metadata.precision:
        unused["--report"] = None if report_dir is None else str(report_dir)
    for option, value in unused.items():
        if value is not None:
            raise SegppError(
                f"{option} has no use for an engine in {wanted}.",
                f"--precision {Precision.FP16} or {Precision.INT8}.",
                f"Leave {option} out, or choose a precision.",
            )
