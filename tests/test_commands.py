"""What the product suggests to type: spelled in `segpp_deploy/commands.py` alone, real, and told to who types commands.

The rule for all other modules but those of the command line: no string names a command of ours, and none an option,
unless it says in an error what happened or what was expected: the first two arguments of a call named `...error`.
"""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from segpp_deploy import commands
from segpp_deploy.api import export
from segpp_deploy.cli.main import run_command
from segpp_deploy.config import Int8Layers, Precision
from segpp_deploy.engine.precision_record import GateOutcome, PrecisionRecord, RangesUsed
from segpp_deploy.errors import CommandText, SegppError, command_line
from segpp_deploy.runtimes.builder_options import BuilderOption
from tests.support.command_lines import command_names, options_of, parse

PACKAGE = Path(commands.__file__).parent
OPTION = re.compile(r"(?<![\w-])(?:--(?:[a-z][a-z-]*|$)|-o(?= ))")
COMMAND = re.compile(rf"{commands.PROGRAM} (?:{'|'.join(command_names())})\b")
OTHER_PROGRAMS = {
    "packaging/triton/client.py": {  # its own: it is copied, and run without us
        "--batch",
        "--engine",
        "--model",
        "--out",
        "--protocol",
        "--shared-memory",
        "--url",
    },
    "evaluation/environment.py": {"--query-gpu", "--format"},  # nvidia-smi
    "fleet/ray_data.py": {"--head"},  # ray
    "hardware/clocks.py": {"--query-gpu", "--format"},  # nvidia-smi
    "packaging/cpp/package.py": {"--build"},  # cmake
    "plugin_library/architectures.py": {"--query-gpu", "--format"},  # nvidia-smi
    "plugin_library/build.py": {"--build", "--parallel", "--target"},  # cmake
    "versions.py": {"--always", "--dirty", "--exclude"},  # git
    "workflows/predict/mjpeg_server.py": {"--"},  # of a multipart body
    "plugin_library/build_tools.py": {"--version"},  # compilers, cmake, ninja
    "plugin_library/cross_runtime.py": {"--target", "--platform", "--only-binary", "--no-deps"},  # pip
    "plugin_library/cuda_toolkit.py": {"--version", "--list-gpu-arch", "--dryrun"},  # nvcc
    "plugin_library/sources.py": {"--force-reinstall", "--no-deps"},  # pip
    "plugin_library/tensorrt_headers.py": {"--no-deps"},  # pip
}
"""Options of programs that we call or suggest."""


@cache
def syntax_of(name: str) -> ast.Module:
    return ast.parse((PACKAGE / name).read_text())


NAMES = sorted(
    name
    for path in PACKAGE.rglob("*.py")
    if (name := path.relative_to(PACKAGE).as_posix()) != "commands.py" and not name.startswith("cli/")
)


def strings_in(tree: ast.AST) -> Iterator[ast.Constant]:
    """Literals and the fixed parts of f-strings, without docstrings."""
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node


def name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def told_in_errors(tree: ast.AST) -> set[int]:
    """Identities of the strings that say what happened, or what was expected."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and name_of(node).lower().endswith("error")]
    return {id(string) for call in calls for argument in call.args[:2] for string in strings_in(argument)}


def own_options(name: str, string: ast.Constant) -> set[str]:
    return set(OPTION.findall(str(string.value))) - OTHER_PROGRAMS.get(name, set())


@pytest.mark.parametrize("name", NAMES)
def test_no_string_spells_a_command_or_an_option(name: str) -> None:
    tree = syntax_of(name)
    told = told_in_errors(tree)
    found = [string.value for string in strings_in(tree) if COMMAND.search(str(string.value))]
    found += [string.value for string in strings_in(tree) if id(string) not in told and own_options(name, string)]
    assert found == [], "write it with segpp_deploy.commands"


@pytest.mark.parametrize("name", NAMES)
def test_options_that_errors_name_exist(name: str) -> None:
    named = {option for string in strings_in(syntax_of(name)) for option in own_options(name, string)}
    assert named <= options_of()


def test_the_rule_sees_what_it_forbids() -> None:
    tree = ast.parse('f(f"{x} (--size 1)")\nSegppError("--a x", f"{y} --b", "-o " + z, f"--{name} 1")')
    told = told_in_errors(tree)
    seen = [bool(own_options("", string)) for string in strings_in(tree) if id(string) not in told]
    assert seen.count(True) == 3
    assert COMMAND.search("try segpp-deploy plugins build")


def test_no_exception_is_idle() -> None:
    for name, options in OTHER_PROGRAMS.items():
        used = {option for string in strings_in(syntax_of(name)) for option in OPTION.findall(str(string.value))}
        assert options <= used, name


FUNCTIONS = {
    name: function
    for name, function in inspect.getmembers(commands, inspect.isfunction)
    if function.__module__ == commands.__name__
    and not name.startswith("_")
    and name not in ("option", "out", "join_fixes")
}
WORDS = {name: tuple(name.split("_")) for name in FUNCTIONS}
WORDS |= {"build_engine": ("build-engine",), "build_plugins": ("plugins", "build"), "help_of": ()}
LINES = {
    "bench": [commands.bench(), commands.bench("a b.engine", "c.engine")],
    "build_engine": [commands.build_engine(), commands.build_engine("a.onnx", "b c.engine", target="cpu", max_batch=4)],
    "build_plugins": [
        commands.build_plugins(),
        commands.build_plugins("87,89"),
        commands.build_plugins(host=True),
        commands.build_plugins("87", machine="aarch64"),
    ],
    "calibrate": [commands.calibrate(), commands.calibrate("a b.onnx")],
    "compare": [commands.compare(), commands.compare("a b.pth", "c", data="scenes", sizes="64x96", fresh=True)],
    "demo": [commands.demo("a b")],
    "doctor": [commands.doctor(), commands.doctor(measure=True)],
    "export": [commands.export(), commands.export(None, "a.onnx", checkpoint="a b.pth", output="logits", size=None)],
    "help_of": [commands.help_of(name) for name in command_names()],
    "inspect": [commands.inspect(), commands.inspect("a b.onnx")],
    "package": [commands.package("a b.engine", "c.engine", **{"for": "triton"})],
    "tune": [commands.tune(data="scenes"), commands.tune("a b.pth", data="scenes", latency_ms=5, resume=True)],
    "selftest": [commands.selftest(), commands.selftest(host=True)],
}


def test_every_function_has_lines() -> None:
    assert set(LINES) == set(FUNCTIONS)


@pytest.mark.parametrize("line", [line for lines in LINES.values() for line in lines])
def test_lines_parse(line: str) -> None:
    program, *arguments = shlex.split(line)
    assert program == commands.PROGRAM
    parse(arguments)


def calls_in(name: str) -> list[ast.Call]:
    """The calls of `commands.NAME` in a module."""
    return [
        node
        for node in ast.walk(syntax_of(name))
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("commands.")
    ]


@pytest.mark.parametrize("name", [name for name in NAMES if calls_in(name)])
def test_suggested_options_exist(name: str) -> None:
    for call in calls_in(name):
        function, first = name_of(call), call.args[0] if call.args else None
        if function == "option" and isinstance(first, ast.Constant):
            assert f"--{first.value}" in options_of(), ast.unparse(call)
        for keyword in call.keywords if function in WORDS else ():
            option = f"--{(keyword.arg or 'help').replace('_', '-')}"
            assert option in options_of(*WORDS[function]), ast.unparse(call)


def test_options_that_are_kept_by_name_exist() -> None:
    record = PrecisionRecord(
        rest=Precision.FP32,
        quantized=(),
        ranges=RangesUsed.model_construct(source="ranges.yaml"),
        gate=GateOutcome.model_construct(data="scenes", images=1, allowed_points=1.0),
        int8_layers=Int8Layers.ALL,
    )
    assert len(record.to_options()) == 5
    names = [*BuilderOption, *record.to_options()]
    assert {f"--{name}" for name in names} <= options_of("build-engine")


def test_text_about_commands_stays_so() -> None:
    line = "Do this: " + commands.doctor() + ", or that: " + commands.option("size", 1) + "."
    assert isinstance(line, CommandText)
    assert isinstance(commands.join_fixes(["pip install x", commands.out("a")], "; "), CommandText)
    assert not isinstance(commands.join_fixes(["pip install x", "Check it."], "; "), CommandText)


def test_only_who_typed_a_command_is_told_commands(tmp_path: Path, capsys) -> None:
    missing = tmp_path / "none.pth"
    with pytest.raises(SegppError, match="No such file") as caught:
        export(tmp_path / "a.onnx", checkpoint=missing)
    assert "Fix:" not in str(caught.value)
    with command_line():
        assert "--checkpoint" in str(caught.value)
    run_command(["export", "--checkpoint", str(missing), "-o", str(tmp_path / "a.onnx")])
    assert "  Fix: Give the file with --checkpoint" in capsys.readouterr().err
    assert "Fix:" not in str(caught.value)


def test_advice_without_commands_is_told_to_everybody() -> None:
    assert "  Fix: Check the path." in str(SegppError("What.", "expected.", "Check the path."))
