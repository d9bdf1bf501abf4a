"""GPU tests skip where there is no GPU, fail where one is required, and are marked so that a job can choose them."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.requirements import VARIABLE

ROOT = Path(__file__).resolve().parent.parent
GPU_TESTS = sorted((ROOT / "tests/gpu").glob("test_*.py"))


def run_one_gpu_test(**environment: str) -> subprocess.CompletedProcess[str]:
    """Run a GPU test in a process that sees no GPU, whatever this machine has."""
    command = [sys.executable, "-m", "pytest", "-n0", "-p", "no:cacheprovider", "-rs", "tests/gpu/test_engines.py"]
    variables = {**os.environ, VARIABLE: "", "CUDA_VISIBLE_DEVICES": "", **environment}
    return subprocess.run(
        [*command, "-k", "bench"], cwd=ROOT, env=variables, capture_output=True, text=True, check=False
    )


def test_without_a_gpu_they_skip_and_say_why() -> None:
    process = run_one_gpu_test()
    assert process.returncode == 0, process.stdout + process.stderr
    assert "The self-test cannot run here." in process.stdout
    assert "SKIPPED" in process.stdout


def test_where_a_gpu_is_required_they_fail() -> None:
    process = run_one_gpu_test(**{VARIABLE: "gpu"})
    assert process.returncode == 1, process.stdout + process.stderr
    assert "SEGPP_REQUIRE names gpu." in process.stdout
    assert "skipped" not in process.stdout


@pytest.mark.parametrize("path", GPU_TESTS, ids=lambda path: path.name)
def test_every_gpu_test_is_marked(path: Path) -> None:
    marks = [
        ast.unparse(node.value)
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
    ]
    assert marks == ["pytest.mark.gpu"]
