"""The kernels of the host build, the GPU's code on the CPU, on arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segpp_deploy import commands
from segpp_deploy.errors import SegppError
from segpp_deploy.ops.declaration import OpDeclaration
from segpp_deploy.plugin_library.kernels import ALIGNMENT, KernelLibrary, describe_call
from segpp_deploy.plugin_library.library import find_plugin_library
from segpp_deploy.plugin_library.sources import LibraryKind

Array = NDArray[Any]

_SLOT = 0  # launches run to their end one after the other


class HostKernels:
    """Runs one op at a time on arrays.

    Raises:
        SegppError: the library cannot be loaded.
    """

    def __init__(self, library: Path) -> None:
        self._library = KernelLibrary(library, commands.build_plugins(host=True))

    def run(self, op: OpDeclaration, inputs: Sequence[Array], attributes: Mapping[str, int]) -> tuple[Array, ...]:
        """Return the outputs of an op for inputs and attributes in the order of its declaration.

        Raises:
            SegppError: the kernel refuses the call, or the checker of races and barriers found something in it.
        """
        arrays = [np.ascontiguousarray(array) for array in inputs]
        call = describe_call(op, [array.shape for array in arrays], arrays[0].dtype.name, attributes)
        call = replace(call, slot=_SLOT)
        outputs = tuple(np.empty(output.shape, output.dtype) for output in call.outputs)
        buffer = np.empty(self._library.workspace_bytes(call) + ALIGNMENT, np.uint8)
        workspace = buffer[-buffer.ctypes.data % ALIGNMENT :]
        inputs_at, outputs_at = ([array.ctypes.data for array in group] for group in (arrays, outputs))
        self._library.launch(call, inputs_at, outputs_at, workspace.ctypes.data)
        return outputs


def open_host_kernels() -> HostKernels:
    """Load the host build.

    Raises:
        SegppError: it was not made yet, or cannot be loaded.
    """
    library = find_plugin_library(LibraryKind.HOST)
    if library.kernels_path is None:
        raise SegppError(
            f"The host build {library.path} lies there without the library of its kernels.",
            "both, as `plugins build --host` leaves them.",
            f"Delete {library.path.parent} and build again: " + commands.build_plugins(host=True),
        )
    return HostKernels(library.kernels_path)
