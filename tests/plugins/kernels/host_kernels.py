"""The kernels of the host build, on NumPy arrays. No PyTorch here: the sanitized runs load as little as they can."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
ALIGNMENT = 256  # what cudaMalloc gives
NO_SLOT = -1
_LIBC = ctypes.CDLL(None)
_TYPES = {np.dtype(np.float32): 0, np.dtype(np.float16): 1}
_LABEL_TYPES = {np.dtype(np.uint8): 0, np.dtype(np.float16): 1}
_SUCCESS = 0
_INVALID_VALUE = 1


class InvalidProblemError(ValueError):
    """The kernel refused: cudaErrorInvalidValue."""


class KernelError(RuntimeError):
    """The kernel did not run to its end: the race and barrier checker found something."""


def empty(shape: tuple[int, ...], dtype: npt.DTypeLike, misalign: int = 0) -> Array:
    """Return an array that starts `misalign` bytes past a 256-byte boundary and ends with its memory.

    So AddressSanitizer sees the first byte past it.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    pointer = ctypes.c_void_p()
    error = _LIBC.posix_memalign(ctypes.byref(pointer), ctypes.c_size_t(ALIGNMENT), ctypes.c_size_t(misalign + size))
    if error or pointer.value is None:
        raise MemoryError(f"posix_memalign: {error}")
    memory = (ctypes.c_uint8 * size).from_address(pointer.value + misalign)
    weakref.finalize(memory, _LIBC.free, pointer)
    return np.ctypeslib.as_array(memory).view(dtype).reshape(shape)


def place(array: Array, misalign: int = 0) -> Array:
    """Return a copy that starts `misalign` bytes past a 256-byte boundary and ends with its memory."""
    copy = empty(array.shape, array.dtype, misalign)
    copy[...] = array
    return copy


class HostKernels:
    """The functions of `plugins/c_api/kernels.h`."""

    def __init__(self, library: Path) -> None:
        self._library = ctypes.CDLL(str(library))
        self._library.segpp_last_finding.restype = ctypes.c_char_p
        self._library.segpp_launches.restype = ctypes.c_ulonglong
        for op in ("token_match", "token_match_merge", "token_merge", "token_merge_with_size"):
            getattr(self._library, f"segpp_{op}_workspace_size").restype = ctypes.c_size_t

    def token_match(
        self, tokens: Array, grid: tuple[int, int], stride: tuple[int, int], num_removed: int, slot: int = 0
    ) -> npt.NDArray[np.int32]:
        """Return row_of_token [B, N] of tokens [B, N, C]; without a slot (`NO_SLOT`) in two launches."""
        problem = _ints(len(tokens), *grid, tokens.shape[2], *stride, num_removed)
        rows = empty(tokens.shape[:2], np.int32)
        rows[...] = -7
        workspace = self._workspace(self._library.segpp_token_match_workspace_size, problem)
        self._call(self._library.segpp_token_match, problem, _type(tokens), tokens, rows, workspace, slot)
        return rows

    def token_match_merge(
        self,
        tokens: Array,
        grid: tuple[int, int],
        stride: tuple[int, int],
        num_removed: int,
        slot: int = 0,
        misalign: int = 0,
    ) -> tuple[Array, Array, Array]:
        """Return row_of_token [B, N], merged [B, M, C], `misalign` bytes off a boundary, and log_size [B, M]."""
        batch, num_tokens, channels = tokens.shape
        problem = _ints(batch, *grid, channels, *stride, num_removed)
        num_rows = num_tokens - num_removed
        rows, log_size = empty((batch, num_tokens), np.int32), empty((batch, num_rows), "f4")
        merged = empty((batch, num_rows, channels), tokens.dtype, misalign)
        rows[...], merged[...], log_size[...] = -7, np.nan, np.nan
        workspace = self._workspace(self._library.segpp_token_match_merge_workspace_size, problem)
        function = self._library.segpp_token_match_merge
        self._call(function, problem, _type(tokens), tokens, rows, merged, log_size, workspace, slot)
        return rows, merged, log_size

    def token_merge(self, tokens: Array, row_of_token: Array, num_rows: int, misalign: int = 0) -> Array:
        """Return merged [B, M, C] of tokens [B, N, C]; the output starts `misalign` bytes off a boundary."""
        batch, num_tokens, channels = tokens.shape
        problem = _ints(batch, num_tokens, num_rows, channels)
        merged = empty((batch, num_rows, channels), tokens.dtype, misalign)
        merged[...] = np.nan
        workspace = self._workspace(self._library.segpp_token_merge_workspace_size, problem)
        self._call(self._library.segpp_token_merge, problem, _type(tokens), tokens, row_of_token, merged, workspace)
        return merged

    def token_merge_with_size(
        self, tokens: Array, row_of_token: Array, num_rows: int, misalign: int = 0
    ) -> tuple[Array, Array]:
        """Return merged [B, M, C], which starts `misalign` bytes off a boundary, and log_size [B, M] float32."""
        batch, num_tokens, channels = tokens.shape
        problem = _ints(batch, num_tokens, num_rows, channels)
        merged, log_size = empty((batch, num_rows, channels), tokens.dtype, misalign), empty((batch, num_rows), "f4")
        merged[...], log_size[...] = np.nan, np.nan
        workspace = self._workspace(self._library.segpp_token_merge_with_size_workspace_size, problem)
        function = self._library.segpp_token_merge_with_size
        self._call(function, problem, _type(tokens), tokens, row_of_token, merged, log_size, workspace)
        return merged, log_size

    def token_unmerge(self, rows: Array, row_of_token: Array, residual: Array | None = None) -> Array:
        """Return restored [B, N, C] of rows [B, M, C]."""
        batch, num_rows, channels = rows.shape
        num_tokens = row_of_token.shape[1]
        restored = empty((batch, num_tokens, channels), rows.dtype)
        restored[...] = np.nan
        problem = _ints(batch, num_tokens, num_rows, channels)
        self._call(self._library.segpp_token_unmerge, problem, _type(rows), rows, row_of_token, residual, restored)
        return restored

    def upsample_argmax(self, logits: Array, height: int, width: int, label_dtype: npt.DTypeLike = np.uint8) -> Array:
        """Return labels [B, height, width] of logits [B, K, h, w]."""
        labels = empty((len(logits), height, width), label_dtype)
        labels[...] = 254
        problem = _ints(*logits.shape, height, width)
        label_type = _LABEL_TYPES[labels.dtype]
        self._call(self._library.segpp_upsample_argmax, problem, _type(logits), logits, label_type, labels)
        return labels

    def workspace_size(self, op: str, *problem: int) -> int:
        """Return the bytes that `op` (its stem) asks for; `problem` in the order of its struct."""
        size: int = getattr(self._library, f"segpp_{op}_workspace_size")(_ints(*problem))
        return size

    @property
    def launches(self) -> int:
        """How many kernels were launched so far."""
        return int(self._library.segpp_launches())

    def _workspace(self, size_of: Callable[..., int], problem: ctypes.Array[ctypes.c_int]) -> Array | None:
        size = size_of(problem)
        if not size:
            return None
        workspace = empty((size,), np.uint8)
        workspace[...] = 0xA5  # as if used before
        return workspace

    def _call(self, function: Callable[..., int], *arguments: Any) -> None:
        error = function(*map(_pointer, arguments), ctypes.c_void_p(None))  # a stream
        if error == _INVALID_VALUE:
            raise InvalidProblemError(function.__name__)
        if error != _SUCCESS:
            raise KernelError(f"error {error}: {self._library.segpp_last_finding().decode()}")


def _ints(*values: int) -> ctypes.Array[ctypes.c_int]:
    """Return a struct of ints: every problem is one."""
    return (ctypes.c_int * len(values))(*values)


def _type(array: Array) -> int:
    return _TYPES[array.dtype]


def _pointer(argument: Any) -> Any:
    if argument is None:
        return ctypes.c_void_p(None)
    if not isinstance(argument, np.ndarray):
        return argument
    if not argument.flags.c_contiguous:
        raise ValueError("the kernels take contiguous arrays")
    return ctypes.c_void_p(argument.ctypes.data)
