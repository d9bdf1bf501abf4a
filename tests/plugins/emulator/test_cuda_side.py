"""nvcc compiles, without a warning, a kernel that uses all that simt.h promises."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from segpp_deploy.plugin_library.build_tools import find_cxx
from segpp_deploy.plugin_library.cuda_toolkit import find_cuda_toolkit
from tests.plugins.native import PLUGINS

ARCHITECTURES = ("75", "90")  # without and with the wider tensor-core product


@pytest.mark.parametrize("standard", [17, 20])
def test_contract_compiles_for_gpus(tmp_path: Path, standard: int) -> None:
    toolkit = find_cuda_toolkit(ARCHITECTURES)
    command = [str(toolkit.nvcc), "-ccbin", str(find_cxx().path), f"-std=c++{standard}"]
    command += ["-Werror", "all-warnings", "-Xcompiler", "-Wall,-Wextra,-Werror"]
    command += [f"-gencode=arch=compute_{name},code=sm_{name}" for name in ARCHITECTURES]
    command += [f"-isystem={folder}" for folder in toolkit.include_dirs]
    command += ["-c", str(PLUGINS / "testing/emulator_tests/contract.cu"), "-o", str(tmp_path / "contract.o")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stderr.lower()
