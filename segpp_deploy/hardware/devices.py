"""The kinds of device that engines run on, and which of them are here."""

from __future__ import annotations

import platform

from segpp_deploy.config import Choice
from segpp_deploy.hardware.nvidia_gpu import has_nvidia_gpu

_X86_NAMES = ("x86_64", "amd64")


class DeviceKind(Choice):
    """What computes, as far as it decides which runtime is the fastest."""

    NVIDIA_GPU = "NVIDIA GPU"
    X86_CPU = "x86 CPU"
    OTHER_CPU = "CPU other than x86"


def devices_here() -> tuple[DeviceKind, ...]:
    """Return the kinds of device of this machine, the fastest first; the last is its CPU."""
    return (DeviceKind.NVIDIA_GPU, this_cpu()) if has_nvidia_gpu() else (this_cpu(),)


def this_cpu() -> DeviceKind:
    """Return the kind of this machine's CPU."""
    return DeviceKind.X86_CPU if platform.machine().lower() in _X86_NAMES else DeviceKind.OTHER_CPU
