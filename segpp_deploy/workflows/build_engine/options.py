"""What can be asked of `build-engine`; apart from the work, so that options are checked before libraries load."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from segpp_deploy.config import Int8Layers, Precision
from segpp_deploy.runtimes.builder_options import BuilderOptions
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.tuning.calibration.options import CalibrationSource
from segpp_deploy.tuning.gate_options import GateOptions


@dataclass(frozen=True)
class BuildOptions:
    """What to build; the defaults build the graph as it is for the best target that works here.

    Args:
        target: see `TargetName`; AUTO takes the best that works here.
        precision: None = the graph's.
        threads: CPU threads the engine, and calibration, will use; None = one per physical core.
        builder: what the builder of a GPU target is asked for.
        calibration: ranges, or pictures to find them on; int8 needs it, fp16 takes from it which tensors overflow.
        int8_layers: which layers int8 covers.
        gate: the accuracy gate; None for none.
        report_dir: write precision.html, .md and .json there.
    """

    target: TargetName = TargetName.AUTO
    precision: Precision | None = None
    threads: int | None = None
    builder: BuilderOptions = field(default_factory=BuilderOptions)
    calibration: CalibrationSource | None = None
    int8_layers: Int8Layers = Int8Layers.FASTER
    gate: GateOptions | None = None
    report_dir: Path | None = None
