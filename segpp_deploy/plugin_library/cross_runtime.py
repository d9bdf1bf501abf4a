"""CUDA's runtime for another processor than this one, which a library is linked with that runs there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from segpp_deploy.files import cache_folder
from segpp_deploy.plugin_library.cuda_toolkit import STATIC_RUNTIME, CudaToolkit
from segpp_deploy.plugin_library.machines import Machine
from segpp_deploy.plugin_library.missing import MissingToolError

_FIRST_IN_PIP = 13  # until CUDA 12, pip's wheels have no static runtime
_JETPACKS = {"12": "6", "13": "7"}  # by CUDA's major version
_ORIN = "87"  # what both run on


def find_cuda_runtime(toolkit: CudaToolkit, machine: Machine) -> Path:
    """Return the folder that holds the static runtime: of the toolkit's cross packages, or of pip's wheel.

    Raises:
        MissingToolError: there is none; the fix brings the one of the toolkit's version.
    """
    major, minor, _ = toolkit.version.split(".")
    # Until CUDA 12, boards have a runtime of their own; the other one is that of servers, and since CUDA 13 of both.
    targets = [toolkit.root / "targets" / f"{name}-linux/lib" for name in (machine.name, "sbsa")]
    for folder in (*targets, fetched_folder(machine) / f"nvidia/cu{major}/lib"):
        if (folder / STATIC_RUNTIME).is_file():
            return folder
    fix = (
        f"pip install --target {fetched_folder(machine)} --platform manylinux2014_{machine.name} --only-binary :all: "
        f"--no-deps 'nvidia-cuda-runtime=={major}.{minor}.*'"
        if int(major) >= _FIRST_IN_PIP
        else f"sudo apt install cuda-cross-{machine.name}-{major}-{minor} (in NVIDIA's repository)"
    )
    looked_in = f"{STATIC_RUNTIME} in {fetched_folder(machine)}, or in the targets of {toolkit}."
    raise MissingToolError(f"CUDA's runtime for {machine.name}", looked_in, fix)


def fetched_folder(machine: Machine) -> Path:
    """Return where pip is told to put the runtime for another processor, which no environment may hold."""
    return cache_folder() / f"cuda-{machine.name}"


def describe_needs(cuda_version: str, tensorrt_version: str | None, architectures: Sequence[str]) -> str:
    """Say what a library needs where it runs, by what it was built with.

    Example:
        >>> describe_needs("13.5.37", "10.14.1", ["110"])
        'a driver for CUDA 13 (JetPack 7) and TensorRT 10.14 or newer'
    """
    major = cuda_version.split(".")[0]
    jetpack = f"JetPack {_JETPACKS[major]}" if major in _JETPACKS else ""
    if int(major) >= _FIRST_IN_PIP and _ORIN in architectures:
        jetpack += "; for JetPack 6 name NVIDIA's CUDA 12.6 by CUDA_HOME"
    needs = f"a driver for CUDA {major}" + (f" ({jetpack})" if jetpack else "")
    if tensorrt_version is not None:
        needs += f" and TensorRT {'.'.join(tensorrt_version.split('.')[:2])} or newer"
    return needs
