"""`segpp-deploy plugins`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segpp_deploy.cli.console import Output
from segpp_deploy.cli.options import JsonFlag, QuietFlag

plugins = typer.Typer(
    help="""Compile the TensorRT plugins.

    Example: segpp-deploy plugins build
    """,
)


@plugins.callback(invoke_without_command=True)
def _group(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@plugins.command("build")
def build(
    arch: Annotated[
        list[str] | None,
        typer.Option(
            metavar="87|8.7|all", help="GPU to compile for, as often as needed; this machine's GPUs if absent."
        ),
    ] = None,
    tensorrt_root: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Where TensorRT lies; searched in the system and in pip's packages if absent."
        ),
    ] = None,
    host: Annotated[
        bool, typer.Option("--host", help="Compile the same kernels for the CPU: slow, for tests only.")
    ] = False,
    kernels: Annotated[
        bool, typer.Option("--kernels", help="Compile the kernels alone, for PyTorch on a GPU: no TensorRT needed.")
    ] = False,
    machine: Annotated[
        str | None,
        typer.Option(
            metavar="aarch64", help="Processor to compile for, by a cross compiler; this machine's if absent."
        ),
    ] = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Compile the TensorRT plugins into the user's cache, where every command finds them.

    Example: segpp-deploy plugins build --arch 87 --arch 89
    """
    from segpp_deploy.errors import SegppError
    from segpp_deploy.plugin_library.architectures import parse_architectures
    from segpp_deploy.plugin_library.build import PluginBuildOptions, build_plugin_library
    from segpp_deploy.plugin_library.machines import parse_machine
    from segpp_deploy.plugin_library.sources import LibraryKind

    if host and (arch or kernels):
        raise SegppError(
            f"--host takes no {'--arch' if arch else '--kernels'}.",
            "one of them: a host build runs on no GPU.",
            "Leave out one.",
        )
    kind = LibraryKind.HOST if host else LibraryKind.KERNELS if kernels else LibraryKind.CUDA
    options = PluginBuildOptions(kind, parse_architectures(arch or []), tensorrt_root, parse_machine(machine))
    output = Output(json, quiet)
    with output.progress() as progress:
        result = build_plugin_library(options, progress)
    output.show(result)
