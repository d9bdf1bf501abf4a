"""The NVIDIA GPU of this machine, as the CUDA runtime describes it."""

from __future__ import annotations

import importlib
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segpp_deploy.errors import SegppError, one_line

CUDA_MODULE = "cuda.bindings.runtime"
_DEVICES = Path("/dev")
_DEVICE_PATTERNS = ("nvidia[0-9]*", "nvhost-gpu", "nvgpu/igpu0", "dxg")
_INSTALL = "pip install 'cuda-bindings' (JetPack 6 and other CUDA 12 systems: 'cuda-bindings<13')"


@dataclass(frozen=True)
class NvidiaGpu:
    """The first GPU that CUDA shows.

    Args:
        name: as its driver calls it.
        compute_capability: e.g. "8.9".
        driver_cuda: the newest CUDA version its driver supports, e.g. "13.0".
    """

    name: str
    compute_capability: str
    driver_cuda: str


def has_nvidia_gpu() -> bool:
    """Whether the system shows an NVIDIA GPU: a device file (desktop, Jetson, WSL), or the driver's tool elsewhere."""
    if sys.platform == "linux":
        return any(any(_DEVICES.glob(pattern)) for pattern in _DEVICE_PATTERNS)
    return shutil.which("nvidia-smi") is not None


def find_gpu() -> NvidiaGpu | None:
    """Return the GPU, or None where there is none or CUDA cannot use it."""
    try:
        return require_gpu()
    except SegppError:
        return None


def require_gpu() -> NvidiaGpu:
    """Return the GPU.

    Raises:
        SegppError: there is none, its driver is missing or too old, or the CUDA bindings are not installed.
    """
    if not has_nvidia_gpu():
        raise SegppError(
            "No NVIDIA GPU was found.", "an NVIDIA GPU with its driver.", "Run this on a machine with a GPU."
        )
    cuda = import_cuda()
    error, count = cuda.cudaGetDeviceCount()
    if error != cuda.cudaError_t.cudaSuccess or not count:
        raise SegppError(
            f"CUDA cannot use this machine's NVIDIA GPU: {describe_error(cuda, error) if error else 'it shows none'}.",
            f"an NVIDIA driver for CUDA {_version(cuda.cudaRuntimeGetVersion()[1])}, which the CUDA bindings use.",
            f"Update the driver, or install bindings for its CUDA version: {_INSTALL}",
        )
    attributes = cuda.cudaDeviceAttr
    major = cuda.cudaDeviceGetAttribute(attributes.cudaDevAttrComputeCapabilityMajor, 0)[1]
    minor = cuda.cudaDeviceGetAttribute(attributes.cudaDevAttrComputeCapabilityMinor, 0)[1]
    name = cuda.cudaGetDeviceProperties(0)[1].name
    name = name.decode(errors="replace") if isinstance(name, bytes) else str(name)
    return NvidiaGpu(name, f"{major}.{minor}", _version(cuda.cudaDriverGetVersion()[1]))


def import_cuda() -> Any:
    """Import the bindings of the CUDA runtime.

    Raises:
        SegppError: they are missing or broken.
    """
    try:
        return importlib.import_module(CUDA_MODULE)
    except (ImportError, OSError, RuntimeError) as error:
        raise SegppError(
            f"The Python bindings of CUDA cannot be loaded: {one_line(error)}.", f"the module {CUDA_MODULE}.", _INSTALL
        ) from error


def describe_error(cuda: Any, error: Any) -> str:
    """Return CUDA's own words for an error code."""
    text = cuda.cudaGetErrorString(error)[1]
    return text.decode(errors="replace") if isinstance(text, bytes) else str(text)


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"
