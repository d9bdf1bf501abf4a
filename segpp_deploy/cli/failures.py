"""The one place where exceptions become a block on stderr and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from enum import IntEnum
from typing import Any

import typer

from segpp_deploy.cli.interrupts import MESSAGE, InterruptWatch, watch_interrupts
from segpp_deploy.errors import SegppError, one_line, suggest_name

DEBUG_VARIABLE = "SEGPP_DEBUG"

# typer carries its own copy of click since 0.16 or so, and used the installed one before: both reach us through typer.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]


class ExitCode(IntEnum):
    """What the process ends with; docs/bad-input.md explains them to users."""

    OK = 0
    CHECK_FAILED = 1
    BAD_INPUT = 2
    OUTPUT_CLOSED = 141  # 128 + SIGPIPE: the reader of a pipe went away


def run_guarded(action: Callable[[], object]) -> int:
    """Call `action` and return the process's exit code; errors are printed to stderr as one block.

    Example:
        >>> int(run_guarded(lambda: None))
        0
    """
    with watch_interrupts() as watch:
        return _run(action, watch)


def _run(action: Callable[[], object], watch: InterruptWatch) -> int:
    try:
        action()
        sys.stdout.flush()
    except typer.Exit as request:
        return request.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return _report(MESSAGE, ExitCode.BAD_INPUT)
    except BrokenPipeError:
        _silence_stdout()
        return ExitCode.OUTPUT_CLOSED
    except SystemExit as stop:
        if not isinstance(stop.__context__, BrokenPipeError):  # what rich makes of a closed pipe
            raise
        return ExitCode.OUTPUT_CLOSED
    except Exception as error:
        if watch.was_interrupted:
            return _report(MESSAGE, ExitCode.BAD_INPUT)
        failure = describe(error)
        return _report(str(failure), failure.exit_code)
    return ExitCode.OK


def describe(error: BaseException) -> SegppError:
    """Return the three-part message for any exception."""
    if isinstance(error, SegppError):
        return error
    if isinstance(error, _UsageError):
        return _describe_usage(error)
    if isinstance(error, MemoryError) or "allocate memory" in str(error):
        return SegppError(
            "This machine ran out of memory.",
            "enough free memory for this model and size.",
            "Use a smaller --size, --batch 1, or close other programs.",
        )
    if isinstance(error, RecursionError):
        return SegppError("The input is nested too deeply to be read.", "a file with a few levels.", "Check the file.")
    if isinstance(error, OSError):
        return SegppError(
            f"The operating system refused: {one_line(error)}.",
            "files that can be read, and room for what is written.",
            "Check the file, its permissions and the free space (df -h).",
        )
    if isinstance(error, ImportError):
        return _describe_import(error)
    summary = f"{type(error).__name__}: {one_line(error)}"
    return SegppError(
        f"Internal error: {summary}",
        "this never to happen; it is a defect of segpp-deploy.",
        f"Run the command again with {DEBUG_VARIABLE}=1 and report the traceback.",
    )


def _describe_import(error: ImportError) -> SegppError:
    """A library that is missing, damaged, or too old for another one that needs it."""
    library = (error.name or "").partition(".")[0]
    fix = f"pip install --upgrade --force-reinstall {library}" if library else "pip check"
    if library == "cv2":  # its builds with windows need libGL, which servers and containers lack
        fix = "pip uninstall --yes opencv-python && pip install --force-reinstall opencv-python-headless"
    return SegppError(
        f"A library cannot be loaded: {one_line(error)}.",
        "the libraries that segpp-deploy asks for, in versions that fit each other.",
        fix,
    )


def is_debugging() -> bool:
    """Tell whether the user asked for tracebacks and library warnings."""
    return os.environ.get(DEBUG_VARIABLE, "") not in ("", "0")


def _report(message: str, exit_code: int) -> int:
    if is_debugging():
        traceback.print_exc()
    print(message, file=sys.stderr)
    return exit_code


def _describe_usage(error: Any) -> SegppError:
    context = error.ctx
    command = context.command_path if context else "segpp-deploy"
    parameters = context.command.params if context else []
    names = [name for parameter in parameters for name in parameter.opts if name.startswith("--")]
    parameter = getattr(error, "param", None)
    option = getattr(error, "option_name", "")
    suggestion = ""
    if parameter is not None:
        placeholder = parameter.metavar or parameter.name
        expected = f"{placeholder}: {getattr(parameter, 'help', None) or 'a value'}"
    elif option and names and option not in names:
        expected = f"one of: {', '.join(names)}."
        suggestion = suggest_name(option, names)
    else:
        expected = "the arguments that the help describes."
    if option and hasattr(error, "possibilities"):  # click has worded an unknown option in three ways so far
        what = f"No such option: {option}"
    else:
        what = error.format_message().rstrip(".")
    return SegppError(what if what.endswith("?") else f"{what}.", expected, f"{suggestion} {command} --help".strip())


def _silence_stdout() -> None:
    """Point stdout at the null device, so that the interpreter's last flush finds no closed pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
