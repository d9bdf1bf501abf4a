"""What another target or precision gains on this machine's CPU, measured on the model that comes with this package."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx_ir as ir

from segpp_deploy.config import Precision, Preset, Size
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.graph_file import GraphFile, read_graph
from segpp_deploy.graph.precision.layers import find_layers
from segpp_deploy.graph.precision.observe import find_observed
from segpp_deploy.graph.precision.recipe import PrecisionRecipe
from segpp_deploy.hardware.devices import this_cpu
from segpp_deploy.model.weights.source import CardSource
from segpp_deploy.progress import Progress
from segpp_deploy.report.tables import Column, Table
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.registry import TARGETS, open_target
from segpp_deploy.tuning.candidates import CandidateBench
from segpp_deploy.tuning.int8_layers import time_in_turns
from segpp_deploy.tuning.recipe_choice import cover_with_int8

MODEL = "segformer_b0_scenes"
MODE = Preset.ORIGINAL
SIZE = Size(512, 512)
_ANY_THRESHOLD = 8.0  # how long int8 takes does not depend on the values
_STEP = "Timing targets and precisions in turns"


@dataclass(frozen=True)
class MeasuredTarget:
    """One target in one precision: median of one call, and how many times faster than the first one."""

    target: TargetName
    precision: Precision
    latency_ms: float
    speedup: float


@dataclass(frozen=True)
class DoctorMeasurement:
    """All that were timed, in turns.

    Args:
        model: the card whose graph was timed.
        mode: its merge mode.
        size: its input.
        rows: the first is the baseline of the others.
    """

    model: str
    mode: str
    size: Size
    rows: tuple[MeasuredTarget, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the part of the JSON document of `doctor --json`."""
        rows = [asdict(row) for row in self.rows]
        return {"model": self.model, "mode": self.mode, "size": str(self.size), "rows": rows}

    def table(self) -> Table:
        """Return one line for each."""
        columns = (Column("target", False), Column("precision", False), Column("latency"), Column("times the first"))
        rows = tuple(
            (str(row.target), str(row.precision), f"{row.latency_ms:.1f} ms", f"{row.speedup:.2f}x")
            for row in self.rows
        )
        return Table(f"Measured here: {self.model}, {self.mode}, {self.size}", columns, rows)


def measure_targets(progress: Progress) -> DoctorMeasurement:
    """Time every CPU target that works here in every precision it has here, in memory and in turns.

    int8 covers all layers; `build-engine --int8-layers faster` may find a faster part of them. What each precision
    costs in accuracy is not looked at.

    Args:
        progress: told about each step.

    Raises:
        SegppError: the model is missing, or no target works.
    """
    from segpp_deploy.workflows.export.options import ExportOptions  # PyTorch takes seconds to load
    from segpp_deploy.workflows.export.run import run_export

    targets = _working_targets()
    progress("Exporting the model", 0, 1)
    with TemporaryDirectory() as folder:
        options = ExportOptions(Path(folder) / "model.onnx", CardSource(MODEL), mode=str(MODE), size=SIZE)
        graph = read_graph(run_export(options).path)
    with ExitStack() as opened:
        sessions = {}
        for target in targets:
            bench = CandidateBench(graph, target, None)
            for precision in open_target(target).usable_precisions():
                recipe = _recipe(graph, target, precision)
                sessions[target, precision] = opened.enter_context(bench.open(recipe))
        progress(_STEP, 0, 1)
        timed = time_in_turns({f"{target} {precision}": one for (target, precision), one in sessions.items()})
    progress(_STEP, 1, 1)
    first = next(iter(timed.samples_ms))
    rows = tuple(
        MeasuredTarget(target, precision, timed.stats(name).median, timed.speedup(first, name))
        for (target, precision), name in zip(sessions, timed.samples_ms, strict=True)
    )
    return DoctorMeasurement(MODEL, str(MODE), SIZE, rows)


def _working_targets() -> list[TargetName]:
    """Return the targets for this machine's CPU, the slowest by rule first."""
    working = []
    ranked = [info for info in TARGETS.values() if this_cpu() in info.auto_ranks]
    for info in sorted(ranked, key=lambda info: -info.auto_ranks[this_cpu()]):
        try:
            open_target(info.name)
        except SegppError:
            continue
        working.append(info.name)
    if not working:
        raise SegppError("No target for a CPU works here.", "one to measure.", ranked[0].install_command)
    return working


def _recipe(graph: GraphFile, target: TargetName, precision: Precision) -> PrecisionRecipe | None:
    if precision is Precision.FP32:
        return None
    if precision is not Precision.INT8:
        return PrecisionRecipe(precision, rest=precision)
    model = ir.from_proto(graph.model)
    thresholds = dict.fromkeys(find_observed(model).of_layers, _ANY_THRESHOLD)
    return cover_with_int8(find_layers(model), target, thresholds)
