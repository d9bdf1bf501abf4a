"""From an exported file to an engine in the wanted precision: calibrate, choose layers, gate, build, report."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from segpp_deploy import commands
from segpp_deploy.config import Automatic, Lowering, Precision
from segpp_deploy.data.findings import collect_findings
from segpp_deploy.engine.automatic_choice import AutomaticChoice, PrecisionChoice
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
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.registry import TARGETS, choose_target, open_target, open_with_plugins
from segpp_deploy.tuning.accuracy_gate import GateResult, HeldOut
from segpp_deploy.tuning.candidates import CandidateBench
from segpp_deploy.tuning.int8_layers import speedup_of
from segpp_deploy.tuning.precision_choice import NO_DATA, choose_precision, find_contenders
from segpp_deploy.tuning.recipe_choice import RecipeChoice, choose_recipe
from segpp_deploy.tuning.speed_profile import profile_beside_float32
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.report import PrecisionReport, describe_speedup, require_report, write_report
from segpp_deploy.workflows.build_engine.result import BuildResult


def run_build(
    source: Path, output: Path, options: BuildOptions | None = None, progress: Progress = no_progress
) -> BuildResult:
    """Build `source` (an exported ONNX file) into the one file `output` and its manifest, `output`.json.

    Later commands take the path `output`, whatever its suffix. For the targets cpu, openvino, cuda and torch it holds
    ONNX. It is run once before it is written, where the GPU it is for is here; after a failure neither file is left, or
    both are what they were before. fp16 and int8 are made from the float32 export on the way.

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
    options, automatic, notes = _settle(options, graph.metadata.precision)
    made = _build(graph, output, options, automatic, progress)
    return replace(made, notes=(*notes, *made.notes))


def _settle(options: BuildOptions, of_graph: Precision) -> tuple[BuildOptions, AutomaticChoice, tuple[str, ...]]:
    """Replace AUTO by what it stands for, as far as nothing has to be measured; say what was chosen, and in notes why.

    Args:
        options: what to build.
        of_graph: the graph's precision.
    """
    automatic, notes = AutomaticChoice(), []
    if options.target is TargetName.AUTO:
        target = choose_target()
        options = replace(options, target=target.target)
        automatic = AutomaticChoice(target=target.why)
        notes.append(target.note)
    if options.precision is Automatic.AUTO and (options.gate is None or of_graph is not Precision.FP32):
        why = NO_DATA if of_graph is Precision.FP32 else "what the graph was rewritten to."
        options = replace(options, precision=None)
        automatic = automatic.model_copy(update={"precision": PrecisionChoice(precision=of_graph, why=why)})
        notes.append(f"Precision {of_graph}: {why}")
    return options, automatic, tuple(notes)


def _build(
    graph: GraphFile, output: Path, options: BuildOptions, automatic: AutomaticChoice, progress: Progress
) -> BuildResult:
    """Build for a target that is not AUTO."""
    wanted = None if options.precision is Automatic.AUTO else options.precision or graph.metadata.precision
    rewrites = wanted in REWRITTEN and graph.metadata.precision is Precision.FP32
    if wanted is not None and not rewrites:
        _refuse_unused(graph, options, wanted)
        if options.gate is None and options.report_dir is None:
            engine_options = EngineOptions(options.target, wanted, options.threads, options.builder)
            manifest = build_graph(graph, output, engine_options, progress=progress, automatic=automatic)
            return BuildResult(output, manifest, manifest.notes)
    _check_request(graph, output, options, wanted, rewrites)
    if options.report_dir is not None:
        require_report(options.report_dir)
    with collect_findings() as findings:
        build = _Build(graph, output, options, automatic, progress)
        made = build.choose() if wanted is None else build.rewrite(wanted) if rewrites else build.leave_as_is(wanted)
        made = replace(made, notes=(*made.notes, *findings.notes()))
    if options.report_dir is not None and made.report is not None:
        write_report(made.report, options.report_dir)
    return made


class _Build:
    """What comes before the engine is written, and the writing."""

    def __init__(
        self, graph: GraphFile, output: Path, options: BuildOptions, automatic: AutomaticChoice, progress: Progress
    ) -> None:
        self._graph = graph
        self._output = output
        self._options = options
        self._automatic = automatic
        self._progress = progress
        self._explain = options.report_dir is not None  # measure what only a report shows
        self._bench = CandidateBench(graph, options.target, options.threads)
        self._gate = None if options.gate is None else HeldOut(options.gate, graph, progress)

    def rewrite(self, wanted: Precision) -> BuildResult:
        """Find the recipe, rewrite the graph and build it."""
        choice = self._find_recipe(wanted)
        gate = None
        if self._gate is not None:
            gate = self._gate.open(self._bench).find_passing(choice, self._explain)
        speedup = (
            self._measure(choice if gate is None else replace(choice, recipe=gate.recipe)) if choice.costs else None
        )
        return self._write(choice, gate, speedup)

    def leave_as_is(self, precision: Precision) -> BuildResult:
        """Build in the precision that the graph has, or that the runtime makes of it, if the engine passes the gate."""
        choice = RecipeChoice(PrecisionRecipe(precision, rest=precision), layers=())
        gate = None
        if self._gate is not None:
            gate = self._gate.open(self._bench).check(choice.recipe)
        differs = precision is not self._graph.metadata.precision
        return self._write(choice, gate, self._measure(choice) if differs else None)

    def choose(self) -> BuildResult:
        """Build in the fastest precision that passes the gate."""
        assert self._gate is not None  # `_settle` has chosen where there is none
        is_calibrated = self._options.calibration is not None
        choices, left_out = find_contenders(self._bench, is_calibrated, self._find_recipe)
        chosen = choose_precision(
            choices, left_out, self._bench, partial(self._gate.open, self._bench), self._gate.options, self._progress
        )
        winner, record = chosen.winner, chosen.record
        self._automatic = self._automatic.model_copy(update={"precision": record})
        is_timed = winner.latency_ms is not None and winner.precision is not Precision.FP32
        made = self._write(winner.choice, winner.gate, winner.speedup if is_timed else None)
        return replace(made, notes=(f"Precision {record.precision}: {record.why}", *made.notes))

    def _find_recipe(self, precision: Precision) -> RecipeChoice:
        options = self._options
        return choose_recipe(
            self._graph, precision, options.calibration, options.int8_layers, self._bench, self._progress
        )

    def _measure(self, choice: RecipeChoice) -> float:
        self._progress("Measuring beside float32", 0, 1)
        return speedup_of(choice.recipe, None, self._bench)

    def _write(self, choice: RecipeChoice, gate: GateResult | None, speedup: float | None) -> BuildResult:
        """Build what passed.

        Args:
            choice: the recipe the gate began with, or that nobody judged.
            gate: how it went.
            speedup: over float32, where it was measured.
        """
        choice = choice if gate is None else replace(choice, recipe=gate.recipe)
        recipe, graph = choice.recipe, self._graph
        if recipe.rewrites_graph:
            metadata = graph.metadata.with_precision(recipe.precision)
            graph = replace(graph, model=apply_recipe(graph.model, recipe), metadata=metadata)
        record = self._describe(choice, gate, graph, speedup)
        options = EngineOptions(self._options.target, recipe.precision, self._options.threads, self._options.builder)
        manifest = build_graph(graph, self._output, options, record, self._progress, self._automatic)
        profile = None
        notes = [*choice.notes, *manifest.notes]
        if speedup is not None:
            notes.append(describe_speedup(speedup, manifest.precision))
            if self._explain or speedup < 1:
                profile = profile_beside_float32(recipe, self._bench, self._progress)
                notes.append(profile.explain())
        report = PrecisionReport(self._output, self._graph.metadata, manifest, choice.costs, gate, profile)
        if gate is not None:
            notes += [f"Warning: {gate.outcome.data}: {warning}" for warning in gate.warnings]
        if self._gate is not None and self._gate.is_what_was_calibrated_on(choice):
            notes.append(f"{self._gate.options.data} is what calibration saw; held-out pictures would say more.")
        return BuildResult(self._output, manifest, tuple(notes), report)

    def _describe(
        self, choice: RecipeChoice, gate: GateResult | None, graph: GraphFile, speedup: float | None
    ) -> PrecisionRecord | None:
        """Return the manifest's record; None for a graph that is built as exported and was not judged."""
        recipe = choice.recipe
        if gate is None and recipe.precision is self._graph.metadata.precision:
            return None
        return PrecisionRecord(
            rest=recipe.rest,
            quantized=tuple(sorted(reduced_layers(graph.model, recipe.precision))) if recipe.rewrites_graph else (),
            ranges=choice.ranges,
            kept=(*choice.kept, *(() if gate is None else gate.kept)),
            gate=None if gate is None else gate.outcome,
            int8_layers=self._options.int8_layers,
            speedup_over_fp32=None if speedup is None else round(speedup, 3),
        )


def _check_request(
    graph: GraphFile, output: Path, options: BuildOptions, wanted: Precision | None, rewrites: bool
) -> None:
    """Find out before hours of work what would end it.

    Args:
        graph: the export.
        output: the engine file.
        options: what to build; the target is no longer AUTO.
        wanted: the engine's precision; None where it is yet to be chosen.
        rewrites: whether the graph is rewritten to it.
    """
    info = TARGETS[options.target]
    if rewrites and wanted not in info.graph_precisions:
        raise SegppError(
            f"The target {info.name} does not compute in {wanted}.",
            f"one of: {', '.join(map(str, info.precisions))}.",
            commands.option("precision", info.precisions[-1]) + ", or another " + commands.option("target") + ".",
        )
    metadata = graph.metadata.with_precision(wanted) if rewrites and wanted is not None else graph.metadata
    engine_options = EngineOptions(options.target, wanted, options.threads, options.builder)
    resolve_settings(metadata, graph.path, engine_options)
    require_writable(output)
    target = (open_with_plugins if metadata.lowering is Lowering.PLUGIN else open_target)(info.name)
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
