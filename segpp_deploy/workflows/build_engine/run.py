"""From an exported file to an engine in the wanted precision: calibrate, choose layers, gate, build, report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from segpp_deploy import commands
from segpp_deploy.config import Lowering, Precision
from segpp_deploy.data.findings import collect_findings
from segpp_deploy.engine.build import (
    EngineOptions,
    build_graph,
    check_output,
    resolve_settings,
)
from segpp_deploy.engine.precision_record import PrecisionRecord
from segpp_deploy.errors import SegppError
from segpp_deploy.files import require_writable
from segpp_deploy.graph.graph_file import GraphFile, read_graph
from segpp_deploy.graph.precision.recipe import REWRITTEN, PrecisionRecipe, apply_recipe, reduced_layers
from segpp_deploy.plugin_library.library import find_plugin_library
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.runtimes.registry import TARGETS, open_target, resolve_auto
from segpp_deploy.tuning.accuracy_gate import GateResult, HeldOut
from segpp_deploy.tuning.candidates import CandidateBench
from segpp_deploy.tuning.int8_layers import speedup_of
from segpp_deploy.tuning.recipe_choice import RecipeChoice, choose_recipe
from segpp_deploy.tuning.speed_profile import profile_beside_float32
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.report import PrecisionReport, describe_speedup, require_report, write_report
from segpp_deploy.workflows.build_engine.result import BuildResult


def run_build(
    source: Path, output: Path, options: BuildOptions | None = None, progress: Progress = no_progress
) -> BuildResult:
    """Build `source` (an exported ONNX file) into the one file `output` and its manifest, `output`.json.

    Later commands take the path `output`, whatever its suffix. For the targets cpu, cuda and openvino it holds ONNX. It
    is run once before it is written, where the GPU it is for is here; after a failure neither file is left, or both
    are what they were before. fp16 and int8 are made from the float32 export on the way.

    Raises:
        SegppError: the graph, the target and the options do not fit together, the target is not available, the engine
            fails its trial run; missing or foreign ranges; data that does not fit. What can be known before the work
            begins is.
        CheckFailedError: nothing passed the accuracy gate. No engine is written then.
    """
    options = options or BuildOptions()
    check_output(source, output)
    progress("Reading the graph", 0, 1)
    graph = read_graph(source)
    options = replace(options, target=resolve_auto(options.target))
    wanted = options.precision or graph.metadata.precision
    rewrites = wanted in REWRITTEN and graph.metadata.precision is Precision.FP32
    if not rewrites:
        _refuse_unused(graph, options, wanted)
    if not rewrites and options.gate is None and options.report_dir is None:
        manifest = build_graph(graph, output, _engine_options(options), progress=progress)
        return BuildResult(output, manifest, manifest.notes)
    _check_request(graph, output, options, wanted if rewrites else None)
    if options.report_dir is not None:
        require_report(options.report_dir)
    with collect_findings() as findings:
        build = _Build(graph, output, options, progress)
        made = build.rewrite(wanted) if rewrites else build.leave_to_runtime(wanted)
        made = replace(made, notes=(*made.notes, *findings.notes()))
    if options.report_dir is not None and made.report is not None:
        write_report(made.report, options.report_dir)
    return made


def _engine_options(options: BuildOptions) -> EngineOptions:
    return EngineOptions(options.target, options.precision, options.threads, options.builder)


class _Build:
    """What comes before the engine is written, and the writing."""

    def __init__(self, graph: GraphFile, output: Path, options: BuildOptions, progress: Progress) -> None:
        self._graph = graph
        self._output = output
        self._options = options
        self._progress = progress
        self._explain = options.report_dir is not None  # measure what only a report shows
        self._bench = CandidateBench(graph, options.target, options.threads)
        self._gate = None if options.gate is None else HeldOut(options.gate, graph, progress)

    def rewrite(self, wanted: Precision) -> BuildResult:
        """Find the recipe, rewrite the graph and build it."""
        options = self._options
        choice = choose_recipe(
            self._graph, wanted, options.calibration, options.int8_layers, self._bench, self._progress
        )
        gate = None
        if self._gate is not None:
            gate = self._gate.open(self._bench).find_passing(choice, self._explain)
        recipe = choice.recipe if gate is None else gate.recipe
        model = apply_recipe(self._graph.model, recipe)
        graph = replace(self._graph, model=model, metadata=self._graph.metadata.with_precision(wanted))
        record = PrecisionRecord(
            rest=recipe.rest,
            quantized=tuple(sorted(reduced_layers(model, wanted))),
            ranges=choice.ranges,
            kept=(*choice.kept, *(() if gate is None else gate.kept)),
            gate=None if gate is None else gate.outcome,
            int8_layers=options.int8_layers,
        )
        return self._write(graph, record, replace(choice, recipe=recipe), gate, is_timed=bool(choice.costs))

    def leave_to_runtime(self, precision: Precision) -> BuildResult:
        """Build in the precision that the graph has, or that the runtime makes of it, if the engine passes the gate."""
        recipe = PrecisionRecipe(precision, rest=precision)
        differs = precision is not self._graph.metadata.precision
        gate = None
        if self._gate is not None:
            gate = self._gate.open(self._bench).check(recipe)
        record = PrecisionRecord(
            rest=precision,
            quantized=(),
            gate=None if gate is None else gate.outcome,
        )
        return self._write(self._graph, record, RecipeChoice(recipe, layers=()), gate, is_timed=differs)

    def _write(
        self, graph: GraphFile, record: PrecisionRecord, choice: RecipeChoice, gate: GateResult | None, is_timed: bool
    ) -> BuildResult:
        if is_timed:
            self._progress("Measuring beside float32", 0, 1)
            measured = round(speedup_of(choice.recipe, None, self._bench), 3)
            record = record.model_copy(update={"speedup_over_fp32": measured})
        manifest = build_graph(graph, self._output, _engine_options(self._options), record, self._progress)
        speedup, profile = record.speedup_over_fp32, None
        notes = [*choice.notes, *manifest.notes]
        if speedup is not None:
            notes.append(describe_speedup(speedup, manifest.precision))
            if self._explain or speedup < 1:
                profile = profile_beside_float32(choice.recipe, self._bench, self._progress)
                notes.append(profile.explain())
        report = PrecisionReport(self._output, self._graph.metadata, manifest, choice.costs, gate, profile)
        if gate is not None:
            notes += [f"Warning: {gate.outcome.data}: {warning}" for warning in gate.warnings]
        if self._gate is not None and self._gate.is_what_was_calibrated_on(choice):
            notes.append(f"{self._gate.options.data} is what calibration saw; held-out pictures would say more.")
        return BuildResult(self._output, manifest, tuple(notes), report)


def _check_request(graph: GraphFile, output: Path, options: BuildOptions, rewrites_to: Precision | None) -> None:
    """Find out before hours of work what would end it.

    Args:
        graph: the export.
        output: the engine file.
        options: what to build; the target is no longer AUTO.
        rewrites_to: the precision the graph is rewritten to; None where it stays.
    """
    info = TARGETS[options.target]
    if rewrites_to is not None and rewrites_to not in info.graph_precisions:
        raise SegppError(
            f"The target {info.name} does not compute in {rewrites_to}.",
            f"one of: {', '.join(map(str, info.precisions))}.",
            commands.option("precision", info.precisions[-1]) + ", or another " + commands.option("target") + ".",
        )
    metadata = graph.metadata if rewrites_to is None else graph.metadata.with_precision(rewrites_to)
    resolve_settings(metadata, graph.path, _engine_options(options))
    require_writable(output)
    target = open_target(info.name)
    if metadata.lowering is Lowering.PLUGIN:
        find_plugin_library()
    if not info.builds_elsewhere:
        target.require_device()


def _refuse_unused(graph: GraphFile, options: BuildOptions, wanted: Precision) -> None:
    """Options that change nothing are mistakes."""
    unused = {commands.option("calibration"): options.calibration is not None}
    if options.gate is None and wanted is graph.metadata.precision:
        unused[commands.option("report")] = options.report_dir is not None
    for option, is_given in unused.items():
        if is_given:
            raise SegppError(
                f"{option} has no use for an engine in {wanted}.",
                f"--precision {Precision.FP16} or {Precision.INT8}.",
                "Leave " + option + " out, or choose a precision.",
            )
