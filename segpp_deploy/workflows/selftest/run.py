"""Whether the plugins compute on this GPU what they should: each kernel against the reference, then a small model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from segpp_deploy import commands
from segpp_deploy.errors import SegppError
from segpp_deploy.hardware.nvidia_gpu import require_gpu
from segpp_deploy.plugin_library.device_kernels import DeviceKernels
from segpp_deploy.plugin_library.host_kernels import open_host_kernels
from segpp_deploy.plugin_library.library import find_plugin_library
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.tensorrt.api import import_tensorrt
from segpp_deploy.workflows.selftest.cases import CASES, OpCase
from segpp_deploy.workflows.selftest.device_checks import check_device_kernels, random_cases
from segpp_deploy.workflows.selftest.kernel_timing import time_kernels
from segpp_deploy.workflows.selftest.model_checks import check_models
from segpp_deploy.workflows.selftest.op_checks import check_ops
from segpp_deploy.workflows.selftest.result import SelftestResult


@dataclass(frozen=True)
class SelftestOptions:
    """What to test.

    Args:
        host: run the kernels' code on the CPU, by emulation; no model then.
        kernels: run the kernels alone on the GPU, without TensorRT, and time them.
        cases: what to compute with the ops; large ones are left out on the CPU.
    """

    host: bool = False
    kernels: bool = False
    cases: tuple[OpCase, ...] = CASES


def run_selftest(options: SelftestOptions | None = None, progress: Progress = no_progress) -> SelftestResult:
    """Compare every op in every case and float type with PyTorch, and on a GPU a model in a few modes too.

    Raises:
        SegppError: what is needed to test is missing; the message names all of it.
    """
    options = options or SelftestOptions()
    if options.host:
        cases = tuple(case for case in options.cases if not case.is_large)
        return SelftestResult("the kernels, emulated on the CPU", check_ops(open_host_kernels(), cases, progress))
    if options.kernels:
        return _test_kernels(options.cases, progress)
    where = require_device()
    from segpp_deploy.runtimes.tensorrt.one_plugin import OnePluginNetworks

    checks = check_ops(OnePluginNetworks(), options.cases, progress)
    return SelftestResult(where, checks + check_models(progress))


def _test_kernels(cases: Sequence[OpCase], progress: Progress) -> SelftestResult:
    kernels = DeviceKernels()
    checks = check_device_kernels(kernels, (*cases, *random_cases()), progress)
    return SelftestResult(kernels.description, checks, time_kernels(kernels, progress))


def require_device() -> str:
    """Return what the test will run on, in words.

    Raises:
        SegppError: TensorRT, the GPU or the plugin library is missing; the message names all that is.
    """
    needed: tuple[Callable[[], Any], ...] = (
        lambda: import_tensorrt(TargetName.TENSORRT),
        require_gpu,
        find_plugin_library,
    )
    found, missing = [], []
    for find in needed:
        try:
            found.append(find())
        except SegppError as error:
            missing.append(error)
    if missing:
        raise SegppError(
            f"The self-test cannot run here. {' '.join(error.what for error in missing)}",
            "an NVIDIA GPU, TensorRT, and the plugin library built for them.",
            f"{'; '.join(error.fix.rstrip('.') for error in missing)}. Without a GPU: " + commands.selftest(host=True),
        )
    trt, gpu, library = found
    library.require_runs_on(gpu.compute_capability)
    return f"TensorRT {trt.version}, compute capability {gpu.compute_capability}, {library.path.name}"
