"""What can be asked of `build-engine`; apart from the work, so that options are checked before libraries load."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from segpp_deploy import commands
from segpp_deploy.config import Automatic, Int8Layers, Precision
from segpp_deploy.errors import SegppError
from segpp_deploy.runtimes.builder_options import BuilderOptions
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.tuning.calibration.options import CalibrationSource
from segpp_deploy.tuning.gate_options import GateOptions


@dataclass(frozen=True)
class BuildOptions:
    """What to build; the defaults build the graph as it is for the fastest target that works here.

    Args:
        target: see `TargetName`; AUTO takes the fastest that works here.
        precision: None = the graph's; AUTO takes the fastest that the gate lets pass, and fp32 without a gate.
        threads: CPU threads the engine, and calibration, will use; None = one per physical core.
        builder: what the builder of a GPU target is asked for.
        calibration: ranges, or pictures to find them on; int8 needs it, fp16 takes from it which tensors overflow.
        int8_layers: which layers int8 covers.
        gate: the accuracy gate; None for none.
        report_dir: write precision.html, .md and .json there.
    """

    target: TargetName = TargetName.AUTO
    precision: Precision | Automatic | None = None
    threads: int | None = None
    builder: BuilderOptions = field(default_factory=BuilderOptions)
    calibration: CalibrationSource | None = None
    int8_layers: Int8Layers = Int8Layers.FASTER
    gate: GateOptions | None = None
    report_dir: Path | None = None

    def __post_init__(self) -> None:
        if self.precision is not Automatic.AUTO or self.gate is not None:
            return
        unused = {"calibration": self.calibration, "report": self.report_dir}
        for option, value in unused.items():
            if value is not None:
                raise SegppError(
                    f"{commands.option(option)} has no use where {commands.option('precision', Automatic.AUTO)} has no "
                    f"pictures to judge on: that builds in {Precision.FP32}.",
                    "held-out pictures, best with labels.",
                    commands.option("data", "camvid:DIR#val") + ", or a directory of pictures.",
                )
