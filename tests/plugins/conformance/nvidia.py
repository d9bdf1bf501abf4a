"""NVIDIA's library for the conformance tests."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

from segpp_deploy.plugin_library.tensorrt_headers import HEADERS_WHEEL, pip_include_folders
from tests.plugins.wheels import CONSTRAINTS, unpack_wheels
from tests.support.requirements import skip_or_fail


def require_nvidia_library() -> Path:
    """Return TensorRT-RTX's library with the ABI of pip's TensorRT headers.

    A test without them skips, or fails where they are required.
    """
    if not pip_include_folders():
        skip_or_fail("conformance_wheels", f"no headers: pip install --no-deps {HEADERS_WHEEL}")
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        skip_or_fail("conformance_wheels", "TensorRT-RTX has wheels for x86-64 Linux only")
    folder = unpack_wheels(CONSTRAINTS / "conformance.txt", "conformance_wheels")
    return folder / "tensorrt_rtx_libs/libtensorrt_rtx.so.1"
