"""What tests need beyond the package, and the variable that says what may not be missing.

A test that needs what is missing skips, or fails where SEGPP_REQUIRE names it: a job cannot pass by skipping.

    SEGPP_REQUIRE=openvino,gpu python -m pytest
"""

from __future__ import annotations

import difflib
import importlib
import os
from typing import Any, NoReturn

import pytest

VARIABLE = "SEGPP_REQUIRE"
MODULES = {
    "cuda_bindings": "cuda.bindings.runtime",
    "matplotlib": "matplotlib",
    "openvino": "openvino",
    "optuna": "optuna",
    "pillow_heif": "pillow_heif",
    "polygraphy": "polygraphy",
    "pycocotools": "pycocotools.cocoeval",
    "ray": "ray.data",
    "sklearn": "sklearn.metrics",
    "tensorrt_rtx": "tensorrt_rtx",
    "tomesd": "tomesd",
    "transformers": "transformers",
    "tritonclient": "tritonclient",
}
"""Python modules by the names that the variable takes."""

THINGS = {
    "aarch64": "Debian's g++-aarch64-linux-gnu and qemu-user-static; the tests fetch CUDA's runtime for that processor",
    "camvid": "the CamVid frames and the B0 weights trained on them",
    "checkout": "what lies in a checkout only, such as models/training",
    "chromium": "the browser in which pages are tried",
    "clang": "a clang that compiles CUDA",
    "conformance_wheels": "pip's TensorRT headers, and the wheel of constraints/conformance.txt, which the tests fetch",
    "cuda_compilers": "pip's nvcc, and its CUDA 12.6",
    "demo_model": "the weights of the demo model",
    "gpu": "an NVIDIA GPU, TensorRT and the plugin library",
    "libasan": "the compiler's shared libasan.so",
    "onnxruntime_headers": "ONNX Runtime's C++ headers, which the tests fetch with npm",
    "ros2": "rclpy in an environment of its own, which benchmarks/toolchain/ros2_node.py makes",
    "triton_server": "the environment of benchmarks/toolchain/triton_server.py, made by served_models.py there",
}
"""Tools, data and devices; the fixtures that look for them call `skip_or_fail`."""


def required_names() -> frozenset[str]:
    """Return what may not be missing here.

    Raises:
        pytest.UsageError: the variable holds an unknown name.
    """
    words = (word.strip() for word in os.environ.get(VARIABLE, "").split(","))
    return frozenset(_known(word, VARIABLE) for word in words if word)


def require(name: str) -> Any:
    """Return a module of `MODULES`; a test that cannot have it skips, or fails where it is required.

    Raises:
        pytest.UsageError: the name is unknown, or not that of a module.
    """
    module = _module_of(name)
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        skip_or_fail(name, f"{error}.")


def has(name: str) -> bool:
    """Return whether a module of `MODULES` is here, for a test that does less without it; fails where it is required.

    Raises:
        pytest.UsageError: the name is unknown, or not that of a module.
    """
    if name in required_names():
        return require(name) is not None
    try:
        importlib.import_module(_module_of(name))
    except ModuleNotFoundError:
        return False
    return True


def needs(name: str) -> pytest.MarkDecorator:
    """Return a decorator for tests that need a module of `MODULES`.

    Raises:
        pytest.UsageError: the name is unknown, or not that of a module.
    """
    _module_of(name)
    return pytest.mark.needs(name)


def require_marked(item: pytest.Item) -> None:
    """Skip or fail a test whose decorators `needs` name what is missing; conftest.py calls it before every test."""
    for mark in item.iter_markers("needs"):
        require(*mark.args)


def skip_or_fail(name: str, reason: str) -> NoReturn:
    """End a test for which something is missing: it skips, or fails where that is required.

    Args:
        name: of `MODULES` or `THINGS`.
        reason: what is missing, in a sentence.

    Raises:
        pytest.UsageError: the name is unknown.
    """
    if _known(name, "the tests") in required_names():
        pytest.fail(f"{VARIABLE} names {name}. {reason}", pytrace=False)
    pytest.skip(f"{name}: {reason}", allow_module_level=True)


def _known(name: str, where: str) -> str:
    names = sorted({**MODULES, **THINGS})
    if name in names:
        return name
    lines = [f"Unknown name '{name}' in {where}.", f"Expected some of: {', '.join(names)}."]
    lines += [f"Did you mean '{close}'?" for close in difflib.get_close_matches(name, names, n=1)]
    raise pytest.UsageError("\n  ".join(lines))


def _module_of(name: str) -> str:
    if name in MODULES:
        return MODULES[name]
    raise pytest.UsageError(f"{_known(name, 'the tests')} is not a module: call skip_or_fail where it is looked for")
