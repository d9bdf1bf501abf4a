"""The machine and the versions a figure was measured with; nothing that identifies a person or a host."""

from __future__ import annotations

import csv
import os
import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import segpp_deploy
from segpp_deploy.hardware.cpu import cpu_flags, parse_cpu_model
from segpp_deploy.hardware.nvidia_smi import ask_nvidia_smi
from segpp_deploy.versions import describe_python, installed_packages

_X86_FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "amx_int8")
_ARM_FEATURES = ("asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve")
_GPU_QUERY = ("name", "driver_version", "memory.total", "compute_cap")


@dataclass(frozen=True)
class Gpu:
    """One NVIDIA GPU as `nvidia-smi` describes it."""

    name: str
    driver_version: str
    memory_mib: int
    compute_capability: str


@dataclass(frozen=True)
class Environment:
    """`cpu_cores` counts the logical cores this process may use; `packages` only what is installed."""

    tool_version: str
    cpu: str
    cpu_cores: int
    cpu_features: tuple[str, ...]
    memory_bytes: int | None
    os: str
    machine: str
    python: str
    packages: dict[str, str]
    gpus: tuple[Gpu, ...]

    @property
    def in_one_line(self) -> str:
        """The machine in a line."""
        return f"{self.cpu}, {self.cpu_cores} cores, {self.os}, Python {self.python}"

    @property
    def rows(self) -> list[tuple[str, str]]:
        """What is known, by name."""
        memory = f"{self.memory_bytes / 2**30:.0f} GiB" if self.memory_bytes else ""
        rows = [
            ("CPU", f"{self.cpu}, {self.cpu_cores} cores"),
            ("CPU features", ", ".join(self.cpu_features)),
            ("memory", memory),
            *(("GPU", f"{gpu.name}, driver {gpu.driver_version}") for gpu in self.gpus),
            ("system", self.os),
            ("Python", self.python),
            ("segpp-deploy", self.tool_version),
            *self.packages.items(),
        ]
        return [(name, value) for name, value in rows if value]


def describe_environment() -> Environment:
    """Describe this machine without importing any of the packages it lists."""
    cpu_info = _read("/proc/cpuinfo")
    return Environment(
        tool_version=segpp_deploy.__version__,
        cpu=_cpu_model(cpu_info),
        cpu_cores=usable_cores(),
        cpu_features=_cpu_features(cpu_info),
        memory_bytes=_memory_bytes(_read("/proc/meminfo")),
        os=_operating_system(),
        machine=platform.machine(),
        python=describe_python(),
        packages=installed_packages(),
        gpus=_query_gpus(),
    )


def usable_cores() -> int:
    """Return the number of logical cores this process may run on."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _operating_system() -> str:
    kernel = ".".join(platform.release().split(".")[:2])  # builds of kernels may carry a site's name
    try:
        return f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {platform.system()} {kernel}"
    except (OSError, KeyError):
        return f"{platform.system()} {kernel}"


def _cpu_model(cpu_info: str) -> str:
    return parse_cpu_model(cpu_info) or platform.processor() or "unknown"


def _cpu_features(cpu_info: str) -> tuple[str, ...]:
    present = cpu_flags(cpu_info)
    return tuple(name for name in (*_X86_FEATURES, *_ARM_FEATURES) if name in present)


def _memory_bytes(memory_info: str) -> int | None:
    match = re.search(r"^MemTotal:\s*(\d+) kB", memory_info, re.MULTILINE)
    return int(match[1]) * 1024 if match else None


def _query_gpus() -> tuple[Gpu, ...]:
    return parse_gpu_table(ask_nvidia_smi(f"--query-gpu={','.join(_GPU_QUERY)}", "--format=csv,noheader,nounits"))


def parse_gpu_table(table: str) -> tuple[Gpu, ...]:
    """Parse the CSV lines of `nvidia-smi`; lines of another form are left out.

    Example:
        >>> parse_gpu_table("NVIDIA L4, 580.1, 23034, 8.9")
        (Gpu(name='NVIDIA L4', driver_version='580.1', memory_mib=23034, compute_capability='8.9'),)
    """
    rows = csv.reader(table.splitlines(), skipinitialspace=True)
    return tuple(
        Gpu(row[0], row[1], int(row[2]) if row[2].isdecimal() else 0, row[3])  # Jetson says "[N/A]"
        for row in rows
        if len(row) == len(_GPU_QUERY)
    )


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
