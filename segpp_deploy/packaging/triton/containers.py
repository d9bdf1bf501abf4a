"""Which of NVIDIA's Triton containers has the runtime that an engine was built for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

REGISTRY = "nvcr.io/nvidia/tritonserver"

# From the containers' release notes (docs.nvidia.com/deeplearning/triton-inference-server/release-notes), by way of a
# table that was made of them; only where what docs/introduction/compatibility.md of the repository
# triton-inference-server/server says of the month's containers agrees.
TENSORRT_VERSIONS: Mapping[str, str] = MappingProxyType(
    {
        "25.12": "10.14.1.48",
        "25.10": "10.13.3.9",
        "25.06": "10.11.0.33",
        "25.04": "10.9.0.34",
        "25.03": "10.9.0.34",
        "25.02": "10.8.0.43",
        "25.01": "10.8.0.43",
        "24.09": "10.4.0.26",
        "24.08": "10.3.0.26",
    }
)
"""TensorRT's version by release, the newest first."""

# The table "ONNX Runtime Versions" of the same compatibility.md.
ONNXRUNTIME_VERSIONS: Mapping[str, str] = MappingProxyType(
    {
        "26.08": "1.28.0",
        "26.07": "1.27.0",
        "26.06": "1.24.4",
        "26.05": "1.24.4",
        "26.04": "1.24.4",
        "26.03": "1.24.2",
        "26.02": "1.24.1",
        "26.01": "1.23.2",
        "25.12": "1.23.2",
        "25.11": "1.23.2",
        "25.10": "1.23.1",
        "25.09": "1.23.0",
        "25.07": "1.22.0",
        "25.06": "1.22.0",
        "25.05": "1.22.0",
        "25.04": "1.21.0",
        "25.03": "1.21.0",
        "25.02": "1.20.1",
        "25.01": "1.20.1",
        "24.12": "1.20.1",
        "24.11": "1.19.2",
        "24.10": "1.19.2",
        "24.09": "1.19.2",
        "24.08": "1.18.1",
    }
)
"""ONNX Runtime's version by release, the newest first."""

NEWEST = next(iter(ONNXRUNTIME_VERSIONS))


def image_of(release: str) -> str:
    """Return the name of a release's container with all backends.

    Example:
        >>> image_of("25.12")
        'nvcr.io/nvidia/tritonserver:25.12-py3'
    """
    return f"{REGISTRY}:{release}-py3"


def find_release(versions: Mapping[str, str], wanted: str) -> str | None:
    """Return the newest release that has a version of a runtime; None where no known one has.

    Example:
        >>> find_release(TENSORRT_VERSIONS, "10.9.0.34"), find_release(TENSORRT_VERSIONS, "10.3.0.30")
        ('25.04', None)
    """
    return next((release for release, version in versions.items() if version == wanted), None)
