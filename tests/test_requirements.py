"""What is missing skips a test, or fails it where SEGPP_REQUIRE names it; no test skips behind the variable's back."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.requirements import MODULES, THINGS, VARIABLE, has, needs, require, required_names, skip_or_fail

ROOT = Path(__file__).resolve().parent.parent
CONFTEST = """
import sys
from collections.abc import Callable

from tests.conftest import pytest_configure, pytest_runtest_setup

sys.modules["polygraphy"] = None  # as if it were not installed
"""
TESTS = {
    "decorator": "@needs('polygraphy')\ndef test(): pass",
    "call": "def test(): require('polygraphy')",
    "module": "require('polygraphy')\ndef test(): pass",
    "parameter": "@pytest.mark.parametrize('x', [pytest.param(1, marks=needs('polygraphy'))])\ndef test(x): pass",
    "fixture": "@pytest.fixture\ndef x(): skip_or_fail('polygraphy', 'Not here.')\ndef test(x): pass",
}
SKIPS_WITHOUT_A_NAME = {
    "cli/test_bad_precision.py",  # a CPU has bf16 or not
    "evaluate/test_memory.py",  # so does a kernel that resets the high-water mark
    "graph/precision/test_ranges.py",  # a kind of layers that the graph need not have
    "workflows/test_build_engine.py",  # bf16
}
TEST_FILES = sorted(path for path in (ROOT / "tests").rglob("*.py") if path.parent.name != "support")


def run_pytest(folder: Path, test: str, required: str) -> subprocess.CompletedProcess[str]:
    """Run one test in a process that lacks polygraphy."""
    (folder / "conftest.py").write_text(CONFTEST)
    names = "has, needs, require, skip_or_fail"
    (folder / "test_it.py").write_text(f"import pytest\nfrom tests.support.requirements import {names}\n\n{test}\n")
    command = [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", "."]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), VARIABLE: required}
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("test", TESTS.values(), ids=TESTS)
def test_what_is_missing_skips(test: str, tmp_path: Path) -> None:
    done = run_pytest(tmp_path, test, required="openvino")
    assert re.search(r"^=+ 1 skipped", done.stdout, re.MULTILINE), done.stdout + done.stderr
    assert "polygraphy: " in done.stdout


@pytest.mark.parametrize("test", TESTS.values(), ids=TESTS)
def test_what_is_required_and_missing_fails(test: str, tmp_path: Path) -> None:
    done = run_pytest(tmp_path, test, required="openvino, polygraphy")
    assert done.returncode in (1, 2), done.stdout + done.stderr  # 2: already while the module loads
    assert f"{VARIABLE} names polygraphy." in done.stdout
    assert "skipped" not in done.stdout


def test_a_test_that_does_less_without_a_module_fails_where_it_is_required(tmp_path: Path) -> None:
    test = "def test(): assert not has('polygraphy')"
    assert run_pytest(tmp_path, test, required="").returncode == 0
    assert run_pytest(tmp_path, test, required="polygraphy").returncode == 1


def test_an_unknown_name_ends_the_run(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, "def test(): pass", required="polygraphie")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"Unknown name 'polygraphie' in {VARIABLE}." in done.stderr
    assert "Expected some of: aarch64, " in done.stderr
    assert "Did you mean 'polygraphy'?" in done.stderr


def test_names_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, " gpu,openvino ,")
    assert required_names() == {"gpu", "openvino"}
    monkeypatch.delenv(VARIABLE)
    assert required_names() == frozenset()


def test_what_is_here_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODULES, "onnx", "onnx.helper")
    assert require("onnx") is sys.modules["onnx.helper"]
    monkeypatch.setenv(VARIABLE, "onnx")
    assert has("onnx")


@pytest.mark.parametrize("use", [require, has, needs, lambda name: skip_or_fail(name, "")])
def test_tests_cannot_name_what_is_unknown(use: Callable[[str], object]) -> None:
    with pytest.raises(pytest.UsageError, match="Unknown name 'openvion' in the tests"):
        use("openvion")


@pytest.mark.parametrize("use", [require, has, needs])
def test_what_is_no_module_is_not_imported(use: Callable[[str], object]) -> None:
    with pytest.raises(pytest.UsageError, match="gpu is not a module"):
        use("gpu")


def test_ci_names_all_but_what_is_not_installed_for_it() -> None:
    script = (ROOT / ".ci/run").read_text()
    named = {name for names in re.findall(r"SEGPP_REQUIRE\+?=(\S+)", script) for name in names.split(",") if name}
    assert {*MODULES, *THINGS} - named == {"clang", "gpu", "ray", "ros2", "triton_server"}
    assert not named - {*MODULES, *THINGS}


@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: str(path.relative_to(ROOT / "tests")))
def test_no_test_skips_unnoticed(path: Path) -> None:
    calls = {ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)}
    last_words = {call.rpartition(".")[2] for call in calls}
    assert not last_words & {"importorskip", "find_spec"}, "use tests/support/requirements.py"
    if str(path.relative_to(ROOT / "tests")) not in SKIPS_WITHOUT_A_NAME:
        assert "pytest.skip" not in calls, "use skip_or_fail, or say above why the skip needs no name"
