"""Where PyTorch computes on this machine, and in what."""

from __future__ import annotations

import os

import torch

from segpp_deploy import commands
from segpp_deploy.config import Precision, TorchDevice
from segpp_deploy.errors import SegppError
from segpp_deploy.hardware.cpu import has_bfloat16_products
from segpp_deploy.hardware.nvidia_gpu import has_nvidia_gpu
from segpp_deploy.runtimes.torch.info import TORCH

_HIDES_GPUS = "CUDA_VISIBLE_DEVICES"


def find_device() -> TorchDevice:
    """Return the GPU where PyTorch can use one, else the CPU."""
    return TorchDevice.CUDA if torch.cuda.is_available() else TorchDevice.CPU


def require_no_idle_gpu() -> None:
    """Make sure that an NVIDIA GPU which is here, and was not hidden, is one that PyTorch can use.

    Raises:
        SegppError: it is not; the CPU would compute, and nobody asked for that.
    """
    if find_device() is TorchDevice.CPU and has_nvidia_gpu() and _HIDES_GPUS not in os.environ:
        raise SegppError(
            f"PyTorch {torch.__version__} cannot use this machine's NVIDIA GPU, and would compute on the CPU.",
            "a PyTorch for CUDA, and a driver for that CUDA.",
            f"Install one (pytorch.org says how), or set {_HIDES_GPUS}=-1 to mean the CPU.",
        )


def require_cuda() -> None:
    """Make sure that PyTorch can use an NVIDIA GPU.

    Raises:
        SegppError: it cannot.
    """
    if find_device() is TorchDevice.CPU:
        raise SegppError(
            f"PyTorch {torch.__version__} finds no NVIDIA GPU that it can use.",
            "an NVIDIA GPU, a PyTorch for CUDA, and a driver for that CUDA.",
            commands.option("device", TorchDevice.CPU),
        )


def usable_precisions() -> tuple[Precision, ...]:
    """Return what engines can compute in here."""
    on_gpu = find_device() is TorchDevice.CUDA
    usable = {
        Precision.FP32: True,
        Precision.FP16: on_gpu,
        Precision.BF16: torch.cuda.is_bf16_supported(including_emulation=False) if on_gpu else has_bfloat16_products(),
    }
    return tuple(precision for precision in TORCH.precisions if usable[precision])


def require_precision(precision: Precision) -> None:
    """Make sure that engines of a precision can compute here.

    Raises:
        SegppError: they cannot.
    """
    if precision not in usable_precisions():
        raise SegppError(
            f"PyTorch does not compute engines in {precision} on this machine's {_DEVICE_WORDS[find_device()]}.",
            "an NVIDIA GPU for fp16; for bf16 one of compute capability 8.0, or a CPU with AVX-512 BF16 or AMX.",
            commands.option("precision", Precision.FP32),
        )


def forbid_tf32() -> None:
    """Let float32 be float32 on GPUs, where PyTorch would round what convolutions read to 10 bits."""
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


_DEVICE_WORDS = {TorchDevice.CPU: "CPU", TorchDevice.CUDA: "GPU"}
