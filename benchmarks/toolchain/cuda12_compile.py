"""Prove that the kernels use nothing newer than CUDA 12.6 (JetPack 6), and record with which compilers.

python -m benchmarks.toolchain.cuda12_compile
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from benchmarks.arguments import parse_parts
from benchmarks.recording import record
from benchmarks.toolchain.cuda12 import (
    ARCHITECTURES,
    Cuda12Error,
    compile_with_clang,
    compile_with_nvrtc,
    find_clang,
    find_wheels,
    nvrtc_version,
)
from benchmarks.toolchain.kernel_compilation import kernel_sources, read_resources


def measure(wheels: Path, clang: str | None, source: Path, architecture: str) -> dict[str, Any]:
    """Return what each compiler made of a source; spills are ptxas 12.6's count, in bytes."""
    row: dict[str, Any] = {
        "source": source.name,
        "architecture": architecture,
        "clang": None,
        "clang_spill_bytes": None,
    }
    try:
        compile_with_nvrtc(wheels, source, architecture)
        row["nvrtc"] = True
        if clang is not None:
            resources = read_resources(compile_with_clang(clang, wheels, source, architecture))
            row["clang"] = True
            row["clang_spill_bytes"] = sum(kernel.spill_store_bytes for kernel in resources)
    except Cuda12Error as error:
        print(error, file=sys.stderr)
        row["nvrtc" if "nvrtc" not in row else "clang"] = False
    row["passed"] = row["nvrtc"] and row["clang"] is not False
    return row


def main() -> int:
    parse_parts(__doc__)
    wheels, clang = find_wheels(), find_clang()
    if wheels is None:
        print("pip's wheels of CUDA 12.6 are not installed here: pip install '.[dev]'", file=sys.stderr)
        return 2
    rows = [measure(wheels, clang, source, name) for source in kernel_sources() for name in ARCHITECTURES]
    record("cuda12_compile", {"nvrtc": nvrtc_version(wheels), "clang": clang, "rows": rows})
    return int(not all(row["passed"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
