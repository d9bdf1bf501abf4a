"""Our own command lines, spelled once: what errors and results suggest is written by these functions and no others.

A suggestion is a `CommandText`: an error shows it only to who used the command line (`errors.SegppError`). It keeps its
type where it is joined to other text with `+`; an f-string would lose it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

from segpp_deploy.errors import CommandText

PROGRAM = "segpp-deploy"

MODEL = "model.onnx"
ENGINE = "model.engine"


def option(name: str, value: object = None) -> CommandText:
    """Return one option as it is typed.

    Example:
        >>> option("size", "512x1024"), option("overlay")
        ('--size 512x1024', '--overlay')
    """
    return CommandText(f"--{name}" if value is None else f"--{name} {value}")


def out(path: object) -> CommandText:
    """Return the option that names what is written.

    Example:
        >>> out("a b.png")
        "-o 'a b.png'"
    """
    return CommandText(f"-o {shlex.quote(str(path))}")


def one_of(options: Iterable[CommandText], last: str = " or ") -> CommandText:
    """Return several suggestions to choose from.

    Example:
        >>> one_of([option("precision", "fp32"), option("target", "cpu")])
        '--precision fp32 or --target cpu'
    """
    return CommandText(last.join(options))


def command(*words: object, then: Iterable[CommandText] = ()) -> CommandText:
    """Return a whole command; `then` is appended as it is.

    Example:
        >>> command("inspect", "my model.onnx")
        "segpp-deploy inspect 'my model.onnx'"
    """
    return CommandText(" ".join([shlex.join([PROGRAM, *map(str, words)]), *then]))


def help_of(name: str) -> CommandText:
    """Return the command that explains another."""
    return command(name, "--help")


def export(*words: object, output: object = MODEL, **options: object) -> CommandText:
    """Return an export, with the options that matter.

    Example:
        >>> export("segformer_b0_scenes", lowering="portable")
        'segpp-deploy export segformer_b0_scenes --lowering portable -o model.onnx'
    """
    return command("export", *words, *_words(options), "-o", output)


def build_engine(source: object = MODEL, output: object = ENGINE, *words: object, **options: object) -> CommandText:
    """Return a build, with the options that matter.

    Example:
        >>> build_engine("fast.onnx", "fast.engine", target="cpu")
        'segpp-deploy build-engine fast.onnx --target cpu -o fast.engine'
    """
    return command("build-engine", source, *_words(options), *words, "-o", output)


def calibrate(model: object = MODEL, data: str = "DATASET", output: object = "ranges.yaml") -> CommandText:
    """Return a calibration."""
    return command("calibrate", model, "--data", data, "-o", output)


def doctor() -> CommandText:
    """Return the command that describes the machine."""
    return command("doctor")


def inspect(file: object = MODEL) -> CommandText:
    """Return the command that describes a file."""
    return command("inspect", file)


def validate(engine: object = ENGINE, data: str = "DATASET") -> CommandText:
    """Return a validation."""
    return command("validate", engine, "--data", data)


def bench(engine: object = ENGINE) -> CommandText:
    """Return a benchmark."""
    return command("bench", engine)


def demo(output: Path) -> CommandText:
    """Return the demo."""
    return command("demo", "--out", output)


def selftest(*, host: bool = False) -> CommandText:
    """Return the self-test."""
    return command("selftest", *(["--host"] if host else []))


def build_plugins(*, arch: str = "", host: bool = False) -> CommandText:
    """Return the build of the TensorRT plugins.

    Example:
        >>> build_plugins(arch="87,89")
        'segpp-deploy plugins build --arch 87,89'
    """
    return command("plugins", "build", *(["--arch", arch] if arch else []), *(["--host"] if host else []))


def _words(options: dict[str, object]) -> list[str]:
    """Return keyword arguments as options; None leaves one out."""
    given = {name.replace("_", "-"): str(value) for name, value in options.items() if value is not None}
    return [word for name, value in given.items() for word in (f"--{name}", value)]
