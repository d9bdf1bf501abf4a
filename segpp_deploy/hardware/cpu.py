"""What this computer's CPU offers to runtimes: cores and instruction sets."""

from __future__ import annotations

import math
import os
import re
import sys
from pathlib import Path

from segpp_deploy import commands
from segpp_deploy.errors import SegppError

MAX_THREADS = 1024

_CPU_INFO = Path("/proc/cpuinfo")
_BYTE_PRODUCT_FLAGS = frozenset({"avx512_vnni", "avx_vnni"})
_BFLOAT16_FLAGS = frozenset({"amx_bf16", "avx512_bf16", "bf16"})  # the last one is Arm's
_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
# By implementer and part, as Linux' arch/arm64/include/asm/cputype.h numbers them: Jetsons, boards and servers.
_ARM_CORES = {
    ("0x41", "0xd03"): "Cortex-A53",
    ("0x41", "0xd07"): "Cortex-A57",
    ("0x41", "0xd08"): "Cortex-A72",
    ("0x41", "0xd0b"): "Cortex-A76",
    ("0x41", "0xd0c"): "Neoverse-N1",
    ("0x41", "0xd40"): "Neoverse-V1",
    ("0x41", "0xd42"): "Cortex-A78AE",
    ("0x41", "0xd49"): "Neoverse-N2",
    ("0x41", "0xd4f"): "Neoverse-V2",
    ("0x41", "0xd83"): "Neoverse-V3AE",
    ("0x41", "0xd84"): "Neoverse-V3",
}


def physical_cores() -> int:
    """Return the number of physical cores this process may use, which is the best number of compute threads.

    Counts each core once however many hardware threads it has, respects the process's CPU affinity and a container's
    CPU quota, and falls back to the number of logical cores where the system tells no more.
    """
    logical = _usable_logical_cores()
    cores = count_physical_cores(_read(_CPU_INFO), logical) or len(logical)
    quota = parse_cpu_quota(_read(_CPU_QUOTA))
    return max(1, cores if quota is None else min(cores, math.ceil(quota)))


def require_threads(threads: int | None) -> int | None:
    """Return a number of CPU threads that makes sense on some machine; None leaves the choice open.

    Raises:
        SegppError: less than one, or so many that starting them would take the machine down.
    """
    if threads is not None and not 1 <= threads <= MAX_THREADS:
        fitting = commands.option("threads", physical_cores())
        raise SegppError(f"{threads} threads cannot compute.", f"1 to {MAX_THREADS}.", fitting)
    return threads


def count_physical_cores(cpu_info: str, logical: set[int]) -> int:
    """Count the physical cores behind the logical ones in the text of /proc/cpuinfo; 0 if it does not say.

    Example:
        >>> both_threads = "processor: 0\\nphysical id: 0\\ncore id: 0\\n\\nprocessor: 1\\nphysical id: 0\\ncore id: 0"
        >>> count_physical_cores(both_threads, {0, 1})
        1
    """
    cores = set()
    for block in cpu_info.split("\n\n"):
        fields = dict(re.findall(r"^(processor|physical id|core id)\s*:\s*(\d+)", block, re.MULTILINE))
        if len(fields) == 3 and int(fields["processor"]) in logical:
            cores.add((fields["physical id"], fields["core id"]))
    return len(cores)


def parse_cpu_quota(cpu_max: str) -> float | None:
    """Return the CPUs' worth of time in a cgroup's cpu.max; None without a limit.

    Example:
        >>> parse_cpu_quota("150000 100000")
        1.5
        >>> parse_cpu_quota("max 100000") is None
        True
    """
    match = re.fullmatch(r"(\d+) (\d+)", cpu_max.strip())
    return int(match[1]) / int(match[2]) if match and int(match[2]) else None


def has_byte_products() -> bool:
    """Whether the CPU sums products of bytes in 32 bits (VNNI); unknown counts as no."""
    return names_byte_products(_read(_CPU_INFO))


def names_byte_products(cpu_info: str) -> bool:
    """Whether the text of /proc/cpuinfo names VNNI.

    Example:
        >>> names_byte_products("flags : avx2 avx512_vnni"), names_byte_products("flags : avx2")
        (True, False)
    """
    return not _BYTE_PRODUCT_FLAGS.isdisjoint(cpu_flags(cpu_info))


def has_bfloat16_products() -> bool:
    """Whether the CPU multiplies in bfloat16; unknown counts as no."""
    return names_bfloat16_products(_read(_CPU_INFO))


def names_bfloat16_products(cpu_info: str) -> bool:
    """Whether the text of /proc/cpuinfo names products of bfloat16.

    Example:
        >>> names_bfloat16_products("flags : avx2 amx_bf16"), names_bfloat16_products("flags : avx2 avx512_vnni")
        (True, False)
    """
    return not _BFLOAT16_FLAGS.isdisjoint(cpu_flags(cpu_info))


def is_avx2_widest() -> bool:
    """Whether the CPU has AVX2 and not AVX-512; unknown counts as no."""
    return names_avx2_as_widest(_read(_CPU_INFO))


def names_avx2_as_widest(cpu_info: str) -> bool:
    """Whether the text of /proc/cpuinfo names AVX2 and no AVX-512 with bytes and words.

    Example:
        >>> names_avx2_as_widest("flags : avx avx2"), names_avx2_as_widest("flags : avx2 avx512f avx512bw")
        (True, False)
    """
    flags = cpu_flags(cpu_info)
    return "avx2" in flags and "avx512bw" not in flags


def parse_cpu_model(cpu_info: str) -> str:
    """Return what the text of /proc/cpuinfo calls the CPU; "" if it does not say.

    Arm's has numbers for each core and, if any, a name that is the same for all ("ARMv8 Processor rev 1 (v8l)").

    Example:
        >>> parse_cpu_model("model name : ARMv8 Processor rev 1 (v8l)\\nCPU implementer : 0x41\\nCPU part : 0xd42")
        'Cortex-A78AE'
        >>> parse_cpu_model("CPU implementer : 0x4e\\nCPU part : 0x004")
        'Arm CPU 0x4e:0x004'
    """
    numbers = [re.findall(rf"^CPU {field}\s*:\s*(\w+)", cpu_info, re.MULTILINE) for field in ("implementer", "part")]
    cores = dict.fromkeys(zip(*numbers, strict=False))
    if cores:
        return " + ".join(_ARM_CORES.get(core, f"Arm CPU {':'.join(core)}") for core in cores)
    match = re.search(r"^model name\s*:\s*(.+)$", cpu_info, re.MULTILINE)
    return match[1].strip() if match else ""


def cpu_flags(cpu_info: str) -> frozenset[str]:
    """Return the instruction sets that the text of /proc/cpuinfo names."""
    match = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", cpu_info, re.MULTILINE)
    return frozenset(match[1].split() if match else ())


def _usable_logical_cores() -> set[int]:
    if sys.platform == "linux":
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
