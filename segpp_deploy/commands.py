"""Our own command lines, spelled once: what errors and results suggest is written by these functions and no others.

A suggestion is a `CommandText`: an error shows it only to who used the command line (`errors.SegppError`). It keeps its
type where it is joined to other text with `+`; an f-string would lose it. What a command needs and nobody knows yet is
a placeholder in capitals.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from segpp_deploy.errors import CommandText

PROGRAM = "segpp-deploy"

MODEL = "MODEL"
GRAPH = "MODEL.onnx"
ENGINE = "MODEL.engine"
DATASET = "DATASET"
RANGES = "RANGES.yaml"


def option(name: str, value: object = None) -> CommandText:
    """Return one option as it is typed, alone or with a value.

    Example:
        >>> print(option("size", "512x1024"))
        --size 512x1024
    """
    return CommandText(f"--{name}" if value is None else f"--{name} {shlex.quote(str(value))}")


def out(path: object) -> CommandText:
    """Return the option that names what is written.

    Example:
        >>> print(out("a b.png"))
        -o 'a b.png'
    """
    return CommandText(f"-o {shlex.quote(str(path))}")


def join_fixes(texts: Iterable[str], separator: str) -> str:
    """Join texts to one that speaks of commands if one of them does.

    Example:
        >>> print(join_fixes([option("precision", "fp32"), option("target", "cpu")], " or "))
        --precision fp32 or --target cpu
    """
    listed = list(texts)
    joined = separator.join(listed)
    return CommandText(joined) if any(isinstance(text, CommandText) for text in listed) else joined


def help_of(command: str) -> CommandText:
    """Return the command that explains another.

    Example:
        >>> print(help_of("export"))
        segpp-deploy export --help
    """
    return _line(command, help=True)


def export(model: object = MODEL, path: object = GRAPH, /, **options: object) -> CommandText:
    """Return an export to `path` of a model card; None leaves it to the options to name the weights.

    Example:
        >>> print(export(lowering="portable"))
        segpp-deploy export MODEL --lowering portable -o MODEL.onnx
    """
    return _line("export", *([] if model is None else [model]), **options) + " " + out(path)


def build_engine(graph: object = GRAPH, path: object = ENGINE, /, **options: object) -> CommandText:
    """Return the build of the engine `path`.

    Example:
        >>> print(build_engine("fast.onnx", "fast.engine", target="cpu"))
        segpp-deploy build-engine fast.onnx --target cpu -o fast.engine
    """
    return _line("build-engine", graph, **options) + " " + out(path)


def calibrate(graph: object = GRAPH) -> CommandText:
    """Return a calibration.

    Example:
        >>> print(calibrate("fast.onnx"))
        segpp-deploy calibrate fast.onnx --data DATASET -o RANGES.yaml
    """
    return _line("calibrate", graph, data=DATASET) + " " + out(RANGES)


def bench(*engines: object, **options: object) -> CommandText:
    """Return a benchmark of one engine or several.

    Example:
        >>> print(bench("original.engine", "fast.engine"))
        segpp-deploy bench original.engine fast.engine
    """
    return _line("bench", *(engines or [ENGINE]), **options)


def tune(model: object = MODEL, /, **options: object) -> CommandText:
    """Return a search for the merge plan of a model.

    Example:
        >>> print(tune("weights.pth", data="scenes:40", loss=0.2))
        segpp-deploy tune weights.pth --data scenes:40 --loss 0.2
    """
    return _line("tune", model, **options)


def compare(*models: object, **options: object) -> CommandText:
    """Return a comparison of the modes of one model or several.

    Example:
        >>> print(compare("weights.pth", data="scenes:40", targets="cpu,openvino"))
        segpp-deploy compare weights.pth --data scenes:40 --targets cpu,openvino
    """
    return _line("compare", *(models or [MODEL]), **({"data": DATASET} | options))


def package(*engines: object, **options: object) -> CommandText:
    """Return the packaging of one engine or several.

    Example:
        >>> print(package("fast.engine", **{"for": "triton"}))
        segpp-deploy package fast.engine --for triton -o DIR
    """
    return _line("package", *(engines or [ENGINE]), **options) + " " + out("DIR")


def inspect(file: object = GRAPH) -> CommandText:
    """Return the command that describes a file.

    Example:
        >>> print(inspect())
        segpp-deploy inspect MODEL.onnx
    """
    return _line("inspect", file)


def demo(folder: object) -> CommandText:
    """Return the demo.

    Example:
        >>> print(demo("demo-report"))
        segpp-deploy demo --out demo-report
    """
    return _line("demo", out=folder)


def doctor(*, measure: bool = False) -> CommandText:
    """Return the command that describes the machine, or also times what could be faster on it.

    Example:
        >>> print(doctor())
        segpp-deploy doctor
    """
    return _line("doctor", measure=measure)


def selftest(*, host: bool = False, kernels: bool = False) -> CommandText:
    """Return the self-test: of the plugins on the GPU, of the kernels alone there, or on the CPU.

    Example:
        >>> print(selftest(host=True))
        segpp-deploy selftest --host
    """
    return _line("selftest", host=host, kernels=kernels)


def build_plugins(
    arch: str | None = None, *, host: bool = False, kernels: bool = False, machine: str | None = None
) -> CommandText:
    """Return the build of the TensorRT plugins or the kernels alone, for this machine's GPUs if no `arch` is named.

    Example:
        >>> print(build_plugins("87,89"))
        segpp-deploy plugins build --arch 87,89
    """
    return _line("plugins build", arch=arch, host=host, kernels=kernels, machine=machine)


def _line(command: str, /, *arguments: object, **options: object) -> CommandText:
    """Return a command; options that are None or False are left out, True is an option without a value, and a tuple an
    option for each of its values.
    """
    words = [PROGRAM, *command.split(), *map(str, arguments)]
    for name, given in options.items():
        for value in given if isinstance(given, tuple) else (given,):
            if value is not None and value is not False:
                words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    return CommandText(shlex.join(words))
