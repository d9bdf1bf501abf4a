"""The steps, the most important first: on a GPU, and on a CPU in its place."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.gpu_hour.step import Step
from segpp_deploy.config import Arch, Lowering, Precision, Preset
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.registry import TARGETS

_OURS = (sys.executable, "-m", "segpp_deploy")
_PUBLISHED = "published table"
_TABLE_SIZES = ("1024x1024", "512x512", "1024x2048")
_TABLE_ARCHS = (Arch.B0, Arch.B5, Arch.B2)
_ENGINES = (
    (TargetName.TORCH, Lowering.PLUGIN, Precision.FP16),
    (TargetName.TORCH, Lowering.PORTABLE, Precision.FP32),
    (TargetName.CUDA, Lowering.PORTABLE, Precision.FP32),
    (TargetName.CUDA, Lowering.PORTABLE, Precision.FP16),
    (TargetName.TENSORRT, Lowering.PLUGIN, Precision.FP16),
    (TargetName.TENSORRT_RTX, Lowering.PORTABLE, Precision.FP16),
    (TargetName.TENSORRT, Lowering.PORTABLE, Precision.FP16),
    (TargetName.TENSORRT, Lowering.PLUGIN, Precision.INT8),
    (TargetName.TENSORRT_RTX, Lowering.PORTABLE, Precision.INT8),
    (TargetName.TORCH, Lowering.PORTABLE, Precision.FP16),
    (TargetName.TORCH, Lowering.PLUGIN, Precision.BF16),
    (TargetName.TORCH, Lowering.PLUGIN, Precision.FP32),
    (TargetName.TENSORRT, Lowering.PLUGIN, Precision.FP32),
)
_EMULATED_ENGINES = (
    (TargetName.CPU, Lowering.PORTABLE, Precision.FP32),
    (TargetName.CPU, Lowering.PORTABLE, Precision.INT8),
    (TargetName.TORCH, Lowering.PLUGIN, Precision.FP32),
)
_EMULATED_SIZE = "64x64"
_SANITIZERS = ("memcheck", "racecheck", "synccheck", "initcheck")
_WRONG = "9"  # exit code of compute-sanitizer where it found something


def gpu_steps(work: Path) -> tuple[Step, ...]:
    """Return what is measured on a GPU; `work` keeps exports and engines."""
    return (
        Step("environment", (*_OURS, "doctor", "--json"), 120),
        Step("build the kernels", (*_OURS, "plugins", "build", "--kernels", "--json", "--quiet"), 420),
        Step("build the plugins", (*_OURS, "plugins", "build", "--json", "--quiet"), 420, modules=("tensorrt",)),
        Step("selftest and roofline of the kernels", (*_OURS, "selftest", "--kernels", "--json", "--quiet"), 300),
        _published(_TABLE_ARCHS[0], _TABLE_SIZES[0]),
        *(_engines(work, *kind) for kind in _ENGINES),
        *(
            _published(arch, size)
            for size in _TABLE_SIZES
            for arch in _TABLE_ARCHS
            if (arch, size) != (_TABLE_ARCHS[0], _TABLE_SIZES[0])
        ),
        Step("selftest of TensorRT's plugins", (*_OURS, "selftest", "--json", "--quiet"), 420, modules=("tensorrt",)),
        *(_sanitizer(tool) for tool in _SANITIZERS),
    )


def emulated_steps(work: Path) -> tuple[Step, ...]:
    """Return the same in small, with a CPU in the place of the GPU: that the script runs, not how fast anything is."""
    # One mode, for most of the time goes into exports.
    small = ("--mode", str(Preset.FAST), "--size", _EMULATED_SIZE, "--pictures", "1", "--iterations", "2")
    return (
        Step("environment", (*_OURS, "doctor", "--json"), 60),
        Step("build the kernels, emulated", (*_OURS, "plugins", "build", "--host", "--json", "--quiet"), 420),
        Step("selftest of the kernels, emulated", (*_OURS, "selftest", "--host", "--json", "--quiet"), 120),
        _published(Arch.B0, _EMULATED_SIZE, "--emulated"),
        *(_engines(work, *kind, *small, "--device", "cpu", "--threads", "1") for kind in _EMULATED_ENGINES),
        _sanitizer(_SANITIZERS[0]),
    )


def _published(arch: Arch, size: str, *more: str) -> Step:
    module = "benchmarks.measure.gpu_torch"
    command = (sys.executable, "-m", module, "--arch", str(arch), "--size", size, *more)
    return Step(f"{_PUBLISHED}: {arch} {size}", command, 240, modules=("tomesd",))


def _engines(work: Path, target: TargetName, lowering: Lowering, precision: Precision, *more: str) -> Step:
    kind = ("--target", str(target), "--lowering", str(lowering), "--precision", str(precision))
    command = (sys.executable, "-m", "benchmarks.gpu_hour.engines", *kind, "--out", str(work), *more)
    return Step(f"engines: {target} {lowering} {precision}", command, 420, modules=(TARGETS[target].module,))


def _sanitizer(tool: str) -> Step:
    program = "compute-sanitizer"
    kernels = (sys.executable, "-m", "benchmarks.toolchain.sanitized_kernels")
    command = (program, "--tool", tool, "--error-exitcode", _WRONG, *kernels)
    return Step(f"sanitizer: {tool}", command, 300, tools=(program,))
