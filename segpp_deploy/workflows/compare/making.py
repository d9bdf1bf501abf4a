"""The commands that make a row's engine."""

from __future__ import annotations

from pathlib import Path

from segpp_deploy import commands
from segpp_deploy.config import Lowering, Precision
from segpp_deploy.model.weights.source import ModelSource
from segpp_deploy.tuning.search.workbench import lowering_for
from segpp_deploy.workflows.compare.cells import Cell
from segpp_deploy.workflows.compare.options import CompareOptions
from segpp_deploy.workflows.export.command import export_command


def making_commands(source: ModelSource, cell: Cell, options: CompareOptions) -> tuple[str, ...]:
    """Return what exports and builds a row's engine; nothing for the plain export, which no command writes."""
    if cell.is_plain:
        return ()
    candidate, engine = cell.candidate, cell.candidate.engine
    graph, lowering = Path(f"{candidate.plan.name}.onnx"), lowering_for(engine.target)
    is_calibrated = options.calibration is not None and engine.precision is Precision.INT8
    return (
        export_command(
            source,
            graph,
            mode=cell.mode,
            size=candidate.size,
            lowering=None if lowering is Lowering.PORTABLE else lowering,
        ),
        commands.build_engine(
            graph,
            f"{candidate.plan.name}-{engine.target}-{engine.precision}.engine",
            target=engine.target,
            precision=engine.precision,
            calibration=options.calibration.source if is_calibrated and options.calibration else None,
            threads=options.threads,
        ),
    )
