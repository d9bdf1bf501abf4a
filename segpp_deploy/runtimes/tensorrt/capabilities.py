"""Which GPUs an engine is built for."""

from __future__ import annotations

import re
from typing import Any

from segpp_deploy import commands
from segpp_deploy.errors import SegppError
from segpp_deploy.hardware.nvidia_gpu import NvidiaGpu
from segpp_deploy.runtimes.builder_options import BuilderOption
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.tensorrt.api import TensorRt

_TURING = "7.5"  # cannot share an engine with newer GPUs, and has no float32 matrix products in TensorRT-RTX


def known_capabilities(api: Any) -> tuple[str, ...]:
    """Return every compute capability that a library with `ComputeCapability` builds for, in rising order."""
    names = (re.fullmatch(r"SM(\d+)(\d)", name) for name in dir(api.ComputeCapability))
    pairs = sorted((int(match[1]), int(match[2])) for match in names if match)
    return tuple(f"{major}.{minor}" for major, minor in pairs)


def choose_capabilities(trt: TensorRt, requested: tuple[str, ...], gpu: NvidiaGpu | None) -> tuple[str, ...]:
    """Return what to build for: as requested, else the GPU that is here, else every GPU from Ampere on.

    Raises:
        SegppError: the library does not build for one of them.
    """
    known = known_capabilities(trt.api)
    chosen = requested or ((gpu.compute_capability,) if gpu else tuple(name for name in known if name != _TURING))
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise SegppError(
            f"{trt.info.runtime} {trt.version} does not build for compute capability {', '.join(unknown)}.",
            f"one or several of: {', '.join(known)}.",
            "Choose "
            + commands.option(BuilderOption.COMPUTE_CAPABILITY, known[-1])
            + ", or "
            + commands.option("target", TargetName.TENSORRT)
            + " on that GPU.",
        )
    if _TURING in chosen and len(chosen) > 1:
        raise SegppError(
            f"One engine cannot serve compute capability {_TURING} (Turing) and newer ones.",
            "Turing alone, or Ampere and newer.",
            "Build a second engine with " + commands.option(BuilderOption.COMPUTE_CAPABILITY, _TURING),
        )
    return chosen
