"""`segpp-deploy build-engine`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from segpp_deploy.cli.console import Output
from segpp_deploy.cli.options import JsonFlag, QuietFlag, ThreadsOption, names
from segpp_deploy.config import Automatic, Int8Layers, Precision, parse_choice, parse_precision
from segpp_deploy.runtimes.builder_options import BuilderOptions, parse_compute_capabilities
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.tuning.calibration.options import parse_calibration
from segpp_deploy.tuning.gate_options import AUTO_POINTS, GATE_IMAGES, parse_gate
from segpp_deploy.workflows.build_engine.options import BuildOptions


class BuildEngineCommand(TyperCommand):
    """Its help ends with what each target computes in, from the one table; only the help takes the time to load it."""

    def format_help(self, *arguments: Any, **options: Any) -> None:
        """Print the help."""
        from segpp_deploy.runtimes.registry import TARGETS

        targets = [f"* {info.name}: {', '.join(map(str, info.precisions))}" for info in TARGETS.values()]
        self.epilog = "\n".join(["What each target computes in:\n", *targets])
        super().format_help(*arguments, **options)


def build_engine(
    source: Annotated[Path, typer.Argument(metavar="IN.onnx", help="A file written by export.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT.engine", help="The file to write.")],
    target: Annotated[
        str,
        typer.Option(
            metavar=names(TargetName),
            help="The runtime; auto: the fastest that works here. See `segpp-deploy doctor`.",
        ),
    ] = str(TargetName.AUTO),
    precision: Annotated[
        str | None,
        typer.Option(
            metavar=names(Automatic, Precision),
            help=f"Number format; the graph's if absent. auto: the fastest that loses at most {AUTO_POINTS:g} points "
            "on --data.",
        ),
    ] = None,
    threads: ThreadsOption = None,
    compute_capability: Annotated[
        list[str] | None,
        typer.Option(
            metavar="X.Y[,X.Y...]", help="tensorrt-rtx: the GPUs to build for; this machine's, else all from Ampere on."
        ),
    ] = None,
    max_batch: Annotated[
        int | None, typer.Option(metavar="N", help="TensorRT, dynamic batch: the largest batch (8).")
    ] = None,
    opt_batch: Annotated[
        int | None, typer.Option(metavar="N", help="TensorRT, dynamic batch: the batch to be fastest at (1).")
    ] = None,
    workspace_mib: Annotated[
        int | None, typer.Option(metavar="N", help="TensorRT: GPU scratch memory a layer may use, in MiB.")
    ] = None,
    timing_cache: Annotated[
        Path | None, typer.Option(metavar="FILE", help="tensorrt: keep measured kernel times for later builds.")
    ] = None,
    calibration: Annotated[
        str | None,
        typer.Option(
            metavar="RANGES.yaml|DATASET|DIR", help="int8: ranges, or pictures to find them on; fp16: which overflow."
        ),
    ] = None,
    accuracy_gate: Annotated[
        float | None,
        typer.Option(
            metavar="POINTS",
            help="Points of accuracy (such as mIoU) it may lose; layers return to a higher precision.",
        ),
    ] = None,
    gate_data: Annotated[
        str | None,
        typer.Option(
            "--gate-data", "--data", metavar="DATASET|DIR", help="Held-out pictures for the gate, best with labels."
        ),
    ] = None,
    gate_images: Annotated[int, typer.Option(metavar="N", help="Judge on so many of them.")] = GATE_IMAGES,
    int8_layers: Annotated[
        str, typer.Option(metavar=names(Int8Layers), help="int8 where it is faster on this machine, or for all layers.")
    ] = str(Int8Layers.FASTER),
    report: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write precision.html, .md and .json there.")
    ] = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Turn an exported ONNX file into an engine for one runtime, with a manifest beside it.

    Example: segpp-deploy build-engine fast.onnx --target cpu -o fast.engine
    """
    from segpp_deploy.workflows.build_engine.run import run_build

    wanted = parse_precision(precision) if precision else None
    options = BuildOptions(
        target=parse_choice(TargetName, target, "target"),
        precision=wanted,
        threads=threads,
        builder=BuilderOptions(
            compute_capabilities=parse_compute_capabilities(compute_capability or []),
            opt_batch=opt_batch,
            max_batch=max_batch,
            workspace_mib=workspace_mib,
            timing_cache=timing_cache,
        ),
        calibration=parse_calibration(calibration, threads) if calibration else None,
        int8_layers=parse_choice(Int8Layers, int8_layers, "choice of int8 layers"),
        gate=parse_gate(accuracy_gate, gate_data, gate_images, chooses_precision=wanted is Automatic.AUTO),
        report_dir=report,
    )
    output = Output(json, quiet)
    with output.progress() as progress:
        result = run_build(source, out, options, progress)
    output.show(result)
