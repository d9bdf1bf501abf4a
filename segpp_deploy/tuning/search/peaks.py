"""What processors can do at most: published figures of GPUs, and of a CPU a guess that measurements correct."""

from __future__ import annotations

from dataclasses import dataclass

from segpp_deploy.errors import unknown_name_error
from segpp_deploy.model.work import Kernel

LAUNCH_OVERHEAD_S = 2e-6
"""Start and drain of one small kernel inside a replayed CUDA graph: an assumption, no published figure."""


@dataclass(frozen=True)
class Peaks:
    """Peaks of a processor.

    Args:
        name: as in the tables.
        bandwidth: bytes per second to and from device memory.
        tensor_rate: dense float16 tensor-core operations per second with float32 accumulation; a product and its sum
            are two.
        vector_rate: float32 operations per second outside the tensor cores.
        source: where the figures are published.
    """

    name: str
    bandwidth: float
    tensor_rate: float
    vector_rate: float
    source: str

    def seconds(self, kernel: Kernel) -> float:
        """Return the roofline time of a kernel: its slowest resource at its peak, launch overhead not included."""
        return max(
            kernel.bytes_moved / self.bandwidth,
            kernel.tensor_operations / self.tensor_rate,
            kernel.vector_operations / self.vector_rate,
        )


GPUS = (
    Peaks(
        "AGX Orin 64GB",
        bandwidth=204.8e9,
        tensor_rate=171e12 / 4,
        vector_rate=5.3e12,
        source="NVIDIA, Jetson AGX Orin Series Technical Brief (204.8 GB/s, 5.3 TFLOPS float32); NVIDIA "
        "[Deep-Learning-Accelerator-SW](https://github.com/NVIDIA/Deep-Learning-Accelerator-SW) (GPU at MAXN: 171 "
        "sparse INT8 TOPS, so a quarter in dense float16)",
    ),
    Peaks(
        "RTX 4090",
        bandwidth=1008e9,
        tensor_rate=165.2e12,
        vector_rate=82.6e12,
        source="NVIDIA, Ada GPU Architecture whitepaper V2 (1008 GB/s, 165.2 TFLOPS dense float16 with float32 "
        "accumulation, 82.6 TFLOPS float32)",
    ),
    Peaks(
        "H100 SXM",
        bandwidth=3350e9,
        tensor_rate=989.4e12,
        vector_rate=66.9e12,
        source="NVIDIA, H100 Tensor Core GPU Architecture whitepaper and datasheet (3.35 TB/s, 989.4 TFLOPS dense "
        "float16, 66.9 TFLOPS float32)",
    ),
)

CPU = Peaks("CPU", bandwidth=20e9, tensor_rate=200e9, vector_rate=20e9, source="a guess")
"""Where the cost model of a CPU begins; one factor for each part of the work is fitted to what is measured."""


def find_gpu(name: str) -> Peaks:
    """Return the GPU called `name`, in any case.

    Raises:
        SegppError: its figures are not known here; the message lists those that are.

    Example:
        >>> find_gpu("agx orin 64gb").bandwidth
        204800000000.0
    """
    for gpu in GPUS:
        if gpu.name.lower() == name.lower():
            return gpu
    raise unknown_name_error("GPU", name, [gpu.name for gpu in GPUS])
