"""The kernels compiled for a Jetson's processor and run under an emulator of it, beside PyTorch and this processor."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from segpp_deploy.ops.declaration import FLOATS
from segpp_deploy.ops.registry import DECLARATIONS
from segpp_deploy.plugin_library.kernels import KernelCall, describe_call
from segpp_deploy.plugin_library.machines import Machine
from tests.plugins.conformance.driver import TYPES
from tests.plugins.conformance.examples import Example, assert_close, make_example
from tests.plugins.native import JETSON, build_host

PROGRAM = "kernel_calls"
ROUNDED_BY_LIBM = ("TokenMergeWithSize", 1)  # a logarithm, whose last bit depends on the C library


@pytest.fixture(scope="module")
def calls() -> list[tuple[Example, KernelCall]]:
    """Every op in both float types, with what PyTorch makes of it."""
    examples = [make_example(name, dtype) for name in DECLARATIONS for dtype in FLOATS]
    return [(example, describe(example)) for example in examples]


def describe(example: Example) -> KernelCall:
    shapes, dtype = [array.shape for array in example.inputs], str(example.inputs[0].dtype)
    return describe_call(example.op, shapes, dtype, example.attributes)


def write_script(folder: Path, calls: list[tuple[Example, KernelCall]]) -> Path:
    """Write the inputs and the script of `plugins/testing/kernel_calls`."""
    lines = []
    for number, (example, call) in enumerate(calls):
        for index, array in enumerate(example.inputs):
            array.tofile(folder / f"{number}-in{index}")
        inputs = ",".join(f"{number}-in{index}" for index in range(len(example.inputs)))
        outputs = ",".join(f"{number}-out{index}:{output.nbytes}" for index, output in enumerate(call.outputs))
        problem = ",".join(map(str, call.problem))
        lines.append(f"{example.op.stem} {TYPES[call.dtype]} {problem} {inputs} {outputs}\n")
    script = folder / "script.txt"
    script.write_text("".join(lines))
    return script


def run(folder: Path, calls: list[tuple[Example, KernelCall]], *command: Path) -> list[list[np.ndarray]]:
    """Run the script and return the outputs of every call."""
    script = write_script(folder, calls)
    done = subprocess.run([*command, script], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return [
        [
            np.fromfile(folder / f"{number}-out{index}", output.dtype).reshape(output.shape)
            for index, output in enumerate(call.outputs)
        ]
        for number, (_, call) in enumerate(calls)
    ]


@pytest.mark.slow
def test_kernels(jetson_machine: Machine, qemu: Path, calls: list[tuple[Example, KernelCall]], tmp_path: Path) -> None:
    program = build_host(PROGRAM, JETSON)
    assert "AArch64" in subprocess.run(["readelf", "-h", program], capture_output=True, text=True, check=True).stdout
    there = run(tmp_path, calls, qemu, program)
    here = run(tmp_path, calls, build_host(PROGRAM))
    for (example, _), emulated, native in zip(calls, there, here, strict=True):
        for index, expected in enumerate(example.outputs):
            assert_close(emulated[index].astype(expected.dtype), expected)
            if (example.op.name, index) != ROUNDED_BY_LIBM:
                np.testing.assert_array_equal(emulated[index], native[index])


def test_a_refused_call_is_an_error(calls: list[tuple[Example, KernelCall]], tmp_path: Path) -> None:
    script = write_script(tmp_path, calls[:1])
    script.write_text(script.read_text().replace(f"{calls[0][1].problem[-1]} ", "1000000 ", 1))
    done = subprocess.run(
        [build_host(PROGRAM), script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("token_match ")
