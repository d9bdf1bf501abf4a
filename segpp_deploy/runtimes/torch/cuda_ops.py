"""The custom ops on CUDA tensors by our own kernels, instead of the reference's many small ones."""

from __future__ import annotations

import functools

import torch

from segpp_deploy import commands
from segpp_deploy.errors import SegppError
from segpp_deploy.hardware.nvidia_gpu import require_gpu
from segpp_deploy.ops.declaration import FLOATS, OpDeclaration
from segpp_deploy.ops.registry import DECLARATIONS
from segpp_deploy.plugin_library.kernels import KernelLibrary, describe_call
from segpp_deploy.plugin_library.library import find_plugin_library
from segpp_deploy.plugin_library.sources import LibraryKind
from segpp_deploy.runtimes.torch.program import CustomOps


@functools.cache
def kernel_ops() -> CustomOps:
    """Return what computes the custom nodes of a program on the GPU; PyTorch's own ops stay the reference.

    The kernels are queued on PyTorch's current stream, so CUDA graphs capture them.

    Raises:
        SegppError: no GPU, or no library of kernels for it; the message says how to build it.
    """
    library = find_plugin_library(LibraryKind.KERNELS)
    library.require_runs_on(require_gpu().compute_capability)
    kernels = KernelLibrary(library.path, commands.build_plugins(kernels=True))
    return {name: _Launcher(kernels, op) for name, op in DECLARATIONS.items()}


@functools.cache
def use_cuda_kernels() -> None:
    """Let PyTorch's custom ops take our kernels wherever a tensor is on the GPU, for the rest of the process.

    Raises:
        SegppError: as `kernel_ops`.
    """
    for name, launch in kernel_ops().items():
        torch.library.register_kernel(f"segpp::{DECLARATIONS[name].stem}", "cuda", launch)


class _Launcher:
    """One op as PyTorch calls it."""

    def __init__(self, kernels: KernelLibrary, op: OpDeclaration) -> None:
        self._kernels, self._op = kernels, op

    def __call__(self, *arguments: torch.Tensor | int | None) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """Queue the kernels and return the output, or the outputs."""
        tensors = [value.contiguous() for value in arguments if isinstance(value, torch.Tensor)]
        integers = [value for value in arguments if isinstance(value, int)]
        attributes = dict(zip(self._op.attributes, integers, strict=True))
        dtype = str(tensors[0].dtype).removeprefix("torch.")
        if dtype not in FLOATS:
            raise SegppError(
                f"The kernel of {self._op.name} was given tensors of {dtype}.",
                f"one of: {', '.join(FLOATS)}.",
                "Keep the model in float32, and train it under torch.autocast.",
            )
        call = describe_call(self._op, [tuple(tensor.shape) for tensor in tensors], dtype, attributes)
        outputs = tuple(
            tensors[0].new_empty(output.shape, dtype=getattr(torch, output.dtype)) for output in call.outputs
        )
        workspace = tensors[0].new_empty(self._kernels.workspace_bytes(call), dtype=torch.uint8)
        stream = torch.cuda.current_stream(tensors[0].device).cuda_stream
        inputs_at, outputs_at = ([tensor.data_ptr() for tensor in group] for group in (tensors, outputs))
        self._kernels.launch(call, inputs_at, outputs_at, workspace.data_ptr(), stream)
        return outputs[0] if len(outputs) == 1 else outputs
