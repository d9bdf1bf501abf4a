"""The `segpp-deploy` command: the list of commands, and how one is run."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from typing import Annotated

import typer
from typer.core import TyperCommand
from typer.main import get_command

from segpp_deploy.cli.bench import bench
from segpp_deploy.cli.build_engine import BuildEngineCommand, build_engine
from segpp_deploy.cli.calibrate import calibrate
from segpp_deploy.cli.compare import compare
from segpp_deploy.cli.demo import demo
from segpp_deploy.cli.doctor import doctor
from segpp_deploy.cli.export import export
from segpp_deploy.cli.failures import is_debugging, run_guarded
from segpp_deploy.cli.inspect import inspect
from segpp_deploy.cli.package import package
from segpp_deploy.cli.plugins import plugins
from segpp_deploy.cli.predict import predict
from segpp_deploy.cli.selftest import selftest
from segpp_deploy.cli.tune import tune
from segpp_deploy.cli.validate import validate
from segpp_deploy.commands import PROGRAM
from segpp_deploy.errors import command_line, unknown_name_error

COMMANDS: dict[str, Callable[..., None] | typer.Typer] = {
    "demo": demo,
    "export": export,
    "calibrate": calibrate,
    "build-engine": build_engine,
    "validate": validate,
    "bench": bench,
    "compare": compare,
    "tune": tune,
    "predict": predict,
    "package": package,
    "inspect": inspect,
    "doctor": doctor,
    "plugins": plugins,
    "selftest": selftest,
}
_CLASSES: dict[str, type[TyperCommand]] = {"build-engine": BuildEngineCommand}
_SILENT = {"OPENCV_LOG_LEVEL": "SILENT", "OPENCV_FFMPEG_LOGLEVEL": "-8"}  # read when OpenCV is loaded


def _make_app() -> typer.Typer:
    app = typer.Typer(
        name=PROGRAM,
        add_completion=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_global_options)
    for name, function in COMMANDS.items():
        if isinstance(function, typer.Typer):
            app.add_typer(function, name=name)
        else:
            app.command(name, cls=_CLASSES.get(name))(function)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        from segpp_deploy.cli.version import describe_build

        print(describe_build())
        raise typer.Exit


def _global_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the versions and leave.")
    ] = False,
) -> None:
    """From a SegFormer++ checkpoint to a fast, verified inference engine.

    A usual way through: export, build-engine, validate, bench, predict.
    """


def run_command(arguments: Sequence[str]) -> int:
    """Run one command line without the program's name and return its exit code; errors go to stderr."""
    if not is_debugging():
        warnings.filterwarnings("ignore")  # of the libraries below us; users get our errors only
        for variable, silent in _SILENT.items():
            os.environ.setdefault(variable, silent)
    with command_line():
        return run_guarded(lambda: _invoke(list(arguments) or ["--help"]))


def _invoke(arguments: list[str]) -> None:
    # Not app(): that would turn Ctrl-C, closed pipes and usage errors into its own messages and exit codes.
    if not arguments[0].startswith("-") and arguments[0] not in COMMANDS:
        raise unknown_name_error("command", arguments[0], COMMANDS)
    command = get_command(_make_app())
    with command.make_context(PROGRAM, arguments) as context:
        command.invoke(context)
