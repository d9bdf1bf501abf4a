"""The kernels through their C interface (`plugins/c_api`): addresses and a stream, of a GPU or of the host build."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segpp_deploy.errors import SegppError, one_line
from segpp_deploy.ops.declaration import OpDeclaration
from segpp_deploy.ops.token_match import TOKEN_MATCH
from segpp_deploy.ops.token_match_merge import TOKEN_MATCH_MERGE
from segpp_deploy.ops.token_merge import TOKEN_MERGE
from segpp_deploy.ops.token_merge_with_size import TOKEN_MERGE_WITH_SIZE
from segpp_deploy.ops.token_unmerge import TOKEN_UNMERGE
from segpp_deploy.ops.upsample_argmax import UPSAMPLE_ARGMAX

ALIGNMENT = 256  # of a workspace
MATCH_SLOTS = 4096  # kMatchSlots in plugins/kernels/token_match.h

_FLOAT_TYPES = {"float32": 0, "float16": 1}  # DataType in plugins/kernels/types.h
_UINT8_LABELS = 0
_NO_SLOT = -1
_FINDING = "segpp_last_finding"  # the host build alone has it

Shape = Sequence[int]


@dataclass(frozen=True)
class KernelOutput:
    """Shape of an output, and NumPy's name of its type."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def nbytes(self) -> int:
        """Its size."""
        return int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class KernelCall:
    """One op on tensors of known shapes.

    Args:
        op: what is computed.
        problem: the fields of its problem struct in plugins/kernels, which are ints.
        dtype: float type of the inputs.
        outputs: in the order of the declaration.
        slot: a number below `MATCH_SLOTS` that no other call has which may run at the same time; a match that has none
            takes more launches.
    """

    op: OpDeclaration
    problem: tuple[int, ...]
    dtype: str
    outputs: tuple[KernelOutput, ...]
    slot: int | None = None


def describe_call(op: OpDeclaration, shapes: Sequence[Shape], dtype: str, attributes: Mapping[str, int]) -> KernelCall:
    """Return the call of an op for inputs and attributes in the order of its declaration.

    Example:
        >>> describe_call(TOKEN_MERGE, [(2, 64, 32), (2, 64)], "float16", {"num_rows": 26}).outputs
        (KernelOutput(shape=(2, 26, 32), dtype='float16'),)
    """
    outputs = tuple(
        KernelOutput(tuple(int(side or 0) for side in shape), dtype if dtype in tensor.dtypes else tensor.dtypes[0])
        for tensor, shape in zip(op.outputs, op.infer_shapes(shapes, attributes), strict=True)
    )
    return KernelCall(op, _problem(op, shapes, list(attributes.values())), dtype, outputs)


class KernelLibrary:
    """A loaded library of kernels.

    Raises:
        SegppError: the file cannot be loaded.
    """

    def __init__(self, path: Path, rebuild: str) -> None:
        """Load `path`; `rebuild` is the command that makes it anew."""
        try:
            self._library = ctypes.CDLL(str(path))
        except OSError as error:
            raise SegppError(
                f"The library {path} cannot be loaded: {one_line(error)}.", "a library built on this machine.", rebuild
            ) from error

    def workspace_bytes(self, call: KernelCall) -> int:
        """Return the memory that a call needs besides its tensors; it starts at a multiple of `ALIGNMENT`."""
        size_of = self._workspace_function(call.op)
        if size_of is None:
            return 0
        size_of.restype = ctypes.c_size_t
        return int(size_of(_struct(call)))

    def launch(
        self,
        call: KernelCall,
        inputs: Sequence[int | None],
        outputs: Sequence[int],
        workspace: int | None,
        stream: int = 0,
    ) -> None:
        """Queue a call on a stream.

        Args:
            call: what to compute.
            inputs: addresses in the order of the declaration; None for an optional input that is not there.
            outputs: addresses in the order of the declaration.
            workspace: address of `workspace_bytes`; None where there are none.
            stream: CUDA's handle of it.

        Raises:
            SegppError: the kernel refuses the call, or the checker of the host build found something in it.
        """
        addresses = [*inputs, *[None] * (len(call.op.inputs) - len(inputs))]
        arguments = [_struct(call), _FLOAT_TYPES[call.dtype], *map(ctypes.c_void_p, addresses)]
        if call.op is UPSAMPLE_ARGMAX:
            arguments.append(_UINT8_LABELS)
        arguments += map(ctypes.c_void_p, outputs)
        if self._workspace_function(call.op) is not None:
            arguments.append(ctypes.c_void_p(workspace))
        if call.op in (TOKEN_MATCH, TOKEN_MATCH_MERGE):
            arguments.append(_NO_SLOT if call.slot is None else call.slot)
        error = getattr(self._library, f"segpp_{call.op.stem}")(*arguments, ctypes.c_void_p(stream))
        if error:
            finding = self._last_finding()
            raise SegppError(
                f"The kernel of {call.op.name} failed with CUDA error {error}" + (f": {finding}." if finding else "."),
                "0.",
                "This is a defect of the kernel; report it with the case that failed.",
            )

    def _workspace_function(self, op: OpDeclaration) -> Any:
        return getattr(self._library, f"segpp_{op.stem}_workspace_size", None)

    def _last_finding(self) -> str:
        function = getattr(self._library, _FINDING, None)
        if function is None:
            return ""
        function.restype = ctypes.c_char_p
        return str(function().decode(errors="replace"))


def _problem(op: OpDeclaration, shapes: Sequence[Shape], values: list[int]) -> tuple[int, ...]:
    shape = shapes[0]

    def merge() -> tuple[int, ...]:
        return (shape[0], shape[1], *values, shape[2])

    def match(num_removed: int) -> tuple[int, ...]:
        return (shape[0], *values[:2], shape[2], *values[2:4], num_removed)

    makers: dict[str, Callable[[], tuple[int, ...]]] = {
        TOKEN_MATCH.name: lambda: match(values[4]),
        TOKEN_MATCH_MERGE.name: lambda: match(shape[1] - values[4]),
        TOKEN_MERGE.name: merge,
        TOKEN_MERGE_WITH_SIZE.name: merge,
        TOKEN_UNMERGE.name: lambda: (shape[0], shapes[1][1], shape[1], shape[2]),
        UPSAMPLE_ARGMAX.name: lambda: (*shape, *values),
    }
    return makers[op.name]()


def _struct(call: KernelCall) -> ctypes.Array[ctypes.c_int]:
    return (ctypes.c_int * len(call.problem))(*call.problem)
