"""From an exported file to an engine in the wanted precision: calibrate, place, gate, build, report."""

from __future__ import annotations

import tempfile
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from segpp_deploy.config import OutputKind, Precision
from segpp_deploy.engine.build import BuildOptions, BuildResult, build_graph, check_output, require_lowering
from segpp_deploy.engine.graph_file import GraphFile, read_graph
from segpp_deploy.engine.precision_record import PrecisionRecord
from segpp_deploy.engine.target import TARGETS, open_target, resolve_auto
from segpp_deploy.errors import CheckFailedError, SegppError
from segpp_deploy.graph.precision.recipe import apply_recipe
from segpp_deploy.report.numbers import format_percent
from segpp_deploy.session.open import open_session
from segpp_deploy.workflows.accuracy_gate import AccuracyGate, GateResult
from segpp_deploy.workflows.build_report import PrecisionReport, write_report
from segpp_deploy.workflows.judge import Judge
from segpp_deploy.workflows.precision_options import PrecisionOptions
from segpp_deploy.workflows.progress import Progress, no_progress
from segpp_deploy.workflows.recipe_choice import RecipeChoice, choose_recipe
from segpp_deploy.workflows.trial import TrialBench

_REWRITTEN = (Precision.FP16, Precision.INT8)


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
        SegppError: what `build_engine` raises; missing or foreign ranges; data that does not fit.
        CheckFailedError: nothing passed the accuracy gate. No engine is written then.
    """
    check_output(source, output)
    progress("Reading the graph", 0, 1)
    graph = read_graph(source)
    target = resolve_auto(options.target)
    options = replace(options, target=target)
    wanted = options.precision or graph.metadata.precision
    rewrites = wanted in _REWRITTEN and graph.metadata.precision is Precision.FP32
    if not rewrites and precision.gate_points is None:
        _refuse_unused(precision, wanted, report_dir)
        result = build_graph(graph, output, options, progress=progress)
        return EngineBuild(result, result.notes)
    return _Build(graph, output, options, precision, progress).run(wanted if rewrites else None, report_dir)


class _Build:
    def __init__(
        self, graph: GraphFile, output: Path, options: BuildOptions, precision: PrecisionOptions, progress: Progress
    ) -> None:
        self._graph = graph
        self._output = output
        self._options = options
        self._precision = precision
        self._progress = progress
        self._bench = TrialBench(graph, options.target, options.threads)

    def run(self, wanted: Precision | None, report_dir: Path | None) -> EngineBuild:
        if wanted is None:
            return self._judge_as_exported()
        self._check_target(wanted)
        target = self._options.target
        choice = choose_recipe(self._graph, target, wanted, self._precision, self._bench, self._progress)
        gate = self._pass_gate(choice, explain=report_dir is not None)
        recipe = choice.recipe if gate is None else gate.recipe
        record = PrecisionRecord(
            rest=recipe.rest,
            quantized=tuple(sorted(recipe.layers)),
            ranges=choice.ranges,
            kept=(*choice.kept, *(() if gate is None else gate.kept)),
            gate=None if gate is None else gate.outcome,
        )
        graph = replace(
            self._graph,
            model=apply_recipe(self._graph.model, recipe),
            metadata=self._graph.metadata.with_precision(wanted),
        )
        result = build_graph(graph, self._output, self._options, record, self._progress)
        report = PrecisionReport(self._output, self._graph.metadata, result.manifest, choice.costs, gate)
        notes = (*choice.notes, *result.notes)
        if report_dir is not None:
            write_report(report, report_dir)
        return EngineBuild(result, notes, report)

    def _check_target(self, wanted: Precision) -> None:
        info = TARGETS[self._options.target]
        require_lowering(info, self._graph.metadata, self._graph.path)
        open_target(self._options.target)  # before hours of calibration: is the runtime there?
        if wanted not in info.graph_precisions:
            raise SegppError(
                f"The target {info.name} does not compute in {wanted}.",
                f"one of: {', '.join(map(str, info.precisions))}.",
                f"--precision {info.precisions[-1]}, or another --target.",
            )

    def _pass_gate(self, choice: RecipeChoice, explain: bool) -> GateResult | None:
        points = self._precision.gate_points
        if points is None:
            return None
        return AccuracyGate(self._bench, self._open_judge(), points, self._progress).find_passing(choice, explain)

    def _open_judge(self) -> Judge:
        data = self._precision.gate_data
        assert data is not None  # PrecisionOptions sees to it
        if self._graph.metadata.output_kind is OutputKind.HEATMAPS:
            raise SegppError(
                "The accuracy gate cannot judge pose models yet.",
                "a segmentation model.",
                "Leave --accuracy-gate out and compare the heatmaps yourself.",
            )
        with self._bench.open(None) as reference:
            count = self._precision.gate_images
            return Judge(data, count, self._graph.metadata, reference, self._progress)

    def _judge_as_exported(self) -> EngineBuild:
        """Build to a precision that the runtime makes of the float32 graph by itself, if the engine passes."""
        judge, points = self._open_judge(), self._precision.gate_points
        assert points is not None
        with tempfile.TemporaryDirectory(prefix="segpp-gate-") as folder:
            trial = build_graph(self._graph, Path(folder) / "trial.engine", self._options)
            with closing(open_session(trial.path)) as session:
                found = judge.judge(session, str(trial.manifest.precision), self._progress)
        lost = 100 * (judge.reference.miou - found.scores.miou)
        if not lost <= points:
            raise CheckFailedError(
                f"The engine loses {lost:.2f} points of mIoU on {judge.data}.",
                f"a loss of at most {points:g} points.",
                f"--precision {Precision.FP32}",
            )
        result = build_graph(self._graph, self._output, self._options, progress=self._progress)
        passed = f"The engine passed the accuracy gate: it loses {lost:.2f} of {points:g} points of mIoU."
        return EngineBuild(result, (*result.notes, passed))


def _refuse_unused(precision: PrecisionOptions, wanted: Precision, report_dir: Path | None) -> None:
    """Options that change nothing are mistakes."""
    given = {"--calibration": precision.calibration, "--report": report_dir, "--gate-data": precision.gate_data}
    for option, value in given.items():
        if value is not None:
            raise SegppError(
                f"{option} has no use for an engine in {wanted}.",
                f"--precision {Precision.FP16} or {Precision.INT8}.",
                f"Leave {option} out, or choose a precision.",
            )
