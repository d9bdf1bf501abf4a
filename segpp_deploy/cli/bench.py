"""`segpp-deploy bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segpp_deploy.cli.console import Output
from segpp_deploy.cli.options import JsonFlag, QuietFlag, ThreadsOption
from segpp_deploy.workflows.bench.options import ITERATIONS, WARMUP, BenchOptions


def bench(
    engines: Annotated[list[Path], typer.Argument(metavar="ENGINE...", help="Files written by build-engine.")],
    iterations: Annotated[int, typer.Option(metavar="N", help="Timed calls of each engine.")] = ITERATIONS,
    warmup: Annotated[int, typer.Option(metavar="N", help="Untimed calls before.")] = WARMUP,
    profile: Annotated[
        bool, typer.Option("--profile", help="Also show where the time goes: by part of the network, by operation.")
    ] = False,
    threads: ThreadsOption = None,
    batch: Annotated[
        int | None, typer.Option(metavar="N", help="Images per call of engines with a dynamic batch; 1 if absent.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="REPORT_DIR", help="Also write bench.json, bench.md and bench.html there."),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="An earlier bench.json: exit code 1 where an engine became slower."),
    ] = None,
    end_to_end: Annotated[
        bool, typer.Option("--end-to-end", help="Also time the way from a picture file to the answer.")
    ] = False,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="FILE|DIR", help="Pictures for --end-to-end, in turns; a generated one if absent."),
    ] = None,
    sustained: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Then run each engine for so long without a pause: does it slow down?"),
    ] = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Time engines on this machine; several take turns, and speed-ups are over the first.

    Example: segpp-deploy bench original.engine fast.engine --iterations 100
    """
    from segpp_deploy.workflows.bench.run import run_bench

    options = BenchOptions(
        tuple(engines), iterations, warmup, profile, threads, out, batch, baseline, end_to_end, picture, sustained
    )
    output = Output(json, quiet)
    with output.progress() as progress:
        result = run_bench(options, progress)
    output.show(result)
    result.require_no_regression()
