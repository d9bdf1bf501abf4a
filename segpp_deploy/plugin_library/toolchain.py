"""Everything that one build needs, found or told missing in one message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from segpp_deploy.plugin_library.build_tools import Program, find_cmake, find_cross_cxx, find_cxx, find_ninja
from segpp_deploy.plugin_library.cross_runtime import find_cuda_runtime
from segpp_deploy.plugin_library.cuda_toolkit import (
    CudaHeaders,
    CudaToolkit,
    find_cuda_headers,
    find_cuda_toolkit,
)
from segpp_deploy.plugin_library.machines import Machine, this_machine
from segpp_deploy.plugin_library.missing import MissingToolError, join_missing
from segpp_deploy.plugin_library.sources import LibraryKind
from segpp_deploy.plugin_library.tensorrt_headers import TensorRTHeaders, find_tensorrt_headers

_T = TypeVar("_T")


@dataclass(frozen=True)
class Toolchain:
    """The programs and headers of one build.

    The host build takes CUDA's headers without its compiler; the kernels alone know no TensorRT. A build for another
    processor needs CUDA's runtime for that one.
    """

    cmake: Program
    ninja: Program
    cxx: Program
    cuda: CudaToolkit | CudaHeaders
    tensorrt: TensorRTHeaders | None
    cuda_runtime: Path | None = None


def find_toolchain(
    kind: LibraryKind,
    tensorrt_root: Path | None = None,
    architectures: Sequence[str] = (),
    newest_cuda: int | None = None,
    machine: Machine | None = None,
) -> Toolchain:
    """Find what a build needs.

    Args:
        kind: the library to build.
        tensorrt_root: where TensorRT lies; None = search.
        architectures: what nvcc has to know.
        newest_cuda: the newest major version of CUDA that the driver runs; None = any.
        machine: the processor to compile for; None = this one.

    Raises:
        SegppError: something is missing or does not fit; all that is missing is told at once.
    """
    machine = machine or this_machine()
    missing: list[MissingToolError] = []

    def find(search: Callable[[], _T]) -> _T | None:
        try:
            return search()
        except MissingToolError as error:
            missing.append(error)
            return None

    def find_cuda() -> CudaToolkit | CudaHeaders:
        if kind is LibraryKind.HOST:
            return find_cuda_headers()
        return find_cuda_toolkit(architectures, newest_cuda)

    def find_compiler() -> Program:
        return find_cxx() if machine.is_this else find_cross_cxx(machine.cross_compiler)

    cmake, ninja, cxx, cuda = find(find_cmake), find(find_ninja), find(find_compiler), find(find_cuda)
    tensorrt = None if kind is LibraryKind.KERNELS else find(lambda: find_tensorrt_headers(tensorrt_root, machine.name))
    runtime = None
    if isinstance(cuda, CudaToolkit) and not machine.is_this:
        toolkit = cuda
        runtime = find(lambda: find_cuda_runtime(toolkit, machine))
    if not (cmake and ninja and cxx and cuda) or missing:
        raise join_missing(missing)
    return Toolchain(cmake, ninja, cxx, cuda, tensorrt, runtime)
