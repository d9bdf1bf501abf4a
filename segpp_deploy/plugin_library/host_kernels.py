"""The kernels of the host build, the GPU's code on the CPU, through their C interface (`plugins/testing/c_api`)."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segpp_deploy import commands
from segpp_deploy.errors import SegppError, one_line
from segpp_deploy.ops.declaration import OpDeclaration
from segpp_deploy.ops.token_match import TOKEN_MATCH
from segpp_deploy.ops.token_merge import TOKEN_MERGE
from segpp_deploy.ops.token_unmerge import TOKEN_UNMERGE
from segpp_deploy.ops.upsample_argmax import UPSAMPLE_ARGMAX
from segpp_deploy.plugin_library.library import find_plugin_library
from segpp_deploy.plugin_library.sources import LibraryKind

Array = NDArray[Any]

_ALIGNMENT = 256  # of a workspace
_FLOAT_TYPES = {"float32": 0, "float16": 1}  # DataType in plugins/kernels/types.h
_UINT8_LABELS = 0


class HostKernels:
    """Runs one op at a time on arrays.

    Raises:
        SegppError: the library cannot be loaded.
    """

    def __init__(self, library: Path) -> None:
        try:
            self._library = ctypes.CDLL(str(library))
        except OSError as error:
            raise SegppError(
                f"The host build {library} cannot be loaded: {one_line(error)}.",
                "a library built on this machine.",
                commands.build_plugins(host=True),
            ) from error
        self._library.segpp_last_finding.restype = ctypes.c_char_p

    def run(self, op: OpDeclaration, inputs: Sequence[Array], attributes: Mapping[str, int]) -> Array:
        """Return the output of an op for inputs and attributes in the order of its declaration.

        Raises:
            SegppError: the kernel refuses the call, or the checker of races and barriers found something in it.
        """
        arrays = [np.ascontiguousarray(array) for array in inputs]
        shape = op.infer_shape([array.shape for array in arrays], attributes)
        output = np.empty([int(side or 0) for side in shape], _output_dtype(op, arrays[0]))
        problem = _problem(op, arrays, list(attributes.values()))
        arguments = [ctypes.byref(problem), _FLOAT_TYPES[arrays[0].dtype.name], *map(_pointer, arrays)]
        if len(arrays) < len(op.inputs):
            arguments.append(None)
        arguments += [_UINT8_LABELS] * (op is UPSAMPLE_ARGMAX) + [_pointer(output)]
        workspace = self._make_workspace(op, problem)
        if workspace is not None:
            arguments.append(_pointer(workspace))
        self._check(op, getattr(self._library, f"segpp_{op.stem}")(*arguments))
        return output

    def _make_workspace(self, op: OpDeclaration, problem: ctypes.Array[ctypes.c_int]) -> Array | None:
        size_of = getattr(self._library, f"segpp_{op.stem}_workspace_size", None)
        if size_of is None:
            return None
        size_of.restype = ctypes.c_size_t
        buffer = np.empty(size_of(ctypes.byref(problem)) + _ALIGNMENT, np.uint8)
        return buffer[-buffer.ctypes.data % _ALIGNMENT :]

    def _check(self, op: OpDeclaration, error: int) -> None:
        if error:
            finding = self._library.segpp_last_finding().decode(errors="replace")
            raise SegppError(
                f"The kernel of {op.name} failed with CUDA error {error}" + (f": {finding}." if finding else "."),
                "0.",
                "This is a defect of the kernel; report it with the case that failed.",
            )


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


def _problem(op: OpDeclaration, inputs: list[Array], values: list[int]) -> ctypes.Array[ctypes.c_int]:
    """Return the op's problem struct of plugins/kernels, which holds ints only."""
    shape = inputs[0].shape
    makers: dict[str, Callable[[], tuple[int, ...]]] = {
        TOKEN_MATCH.name: lambda: (shape[0], *values[:2], shape[2], *values[2:]),
        TOKEN_MERGE.name: lambda: (shape[0], shape[1], *values, shape[2]),
        TOKEN_UNMERGE.name: lambda: (shape[0], inputs[1].shape[1], shape[1], shape[2]),
        UPSAMPLE_ARGMAX.name: lambda: (*shape, *values),
    }
    fields = makers[op.name]()
    return (ctypes.c_int * len(fields))(*fields)


def _output_dtype(op: OpDeclaration, first: Array) -> str:
    return first.dtype.name if "float32" in op.output.dtypes else op.output.dtypes[0]


def _pointer(array: Array) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
