"""The polygraphy commands of docs/debugging.md that need no GPU do what the page says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from segpp_deploy.config import Precision
from tests.support.requirements import require
from tests.support.tensorrt_graphs import CONVOLUTION, HALF_CONVOLUTION, TOO_LONG_TOP_K, write_graph

PAGE = Path(__file__).resolve().parent.parent / "docs/debugging.md"
BLOCK = re.compile(r"^```sh polygraphy\n(.*?)^```", re.MULTILINE | re.DOTALL)

require("polygraphy")


def run(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    words = shlex.split(line)
    settings = [word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word)]
    arguments = words[len(settings) :]
    scripts = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # polygraphy calls itself by name
    environment = {**os.environ, **dict(settings), "PATH": scripts}
    return subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def graphs(tmp_path: Path) -> Path:
    write_graph(tmp_path / "fast.onnx", CONVOLUTION)
    write_graph(tmp_path / "half.onnx", HALF_CONVOLUTION, Precision.FP16)
    write_graph(tmp_path / "refused.onnx", TOO_LONG_TOP_K)
    return tmp_path


@pytest.mark.slow
def test_every_command(graphs: Path) -> None:
    require("tensorrt_rtx")
    lines = [line for block in BLOCK.findall(PAGE.read_text()) for line in block.splitlines()]
    assert len(lines) >= 5
    answers = {}
    for line in lines:
        done = run(line, graphs)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        answers[line] = done.stdout
    assert "AveragePool" in answers[lines[0]]
    assert [node.op_type for node in onnx.load(str(graphs / "smallest.onnx")).graph.node] == ["TopK"]
    assert [output.name for output in onnx.load(str(graphs / "part.onnx")).graph.output] == ["planes"]


@pytest.mark.slow
def test_a_difference_fails(graphs: Path) -> None:
    run("polygraphy run fast.onnx --onnxrt --save-inputs inputs.json --save-outputs fp32.json", graphs)
    compare = "polygraphy run half.onnx --onnxrt --load-inputs inputs.json --load-outputs fp32.json --atol 0 --rtol 0"
    write_graph(graphs / "half.onnx", HALF_CONVOLUTION.replace("0.5", "0.6"), Precision.FP16)
    assert run(compare, graphs).returncode == 1
