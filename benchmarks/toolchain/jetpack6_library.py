"""Compile the plugins for a Jetson Orin with JetPack 6 by CUDA 12's own compiler, on a PC, and record what came out.

    python -m benchmarks.toolchain.jetpack6_library            compile and record (a GB is fetched the first time)
    python -m benchmarks.toolchain.jetpack6_library --check    record nothing; exit code 1 if something is wrong

`plugins build` finds the toolkit as it finds one of NVIDIA's: by CUDA_HOME, with the runtime for aarch64 in `targets`.
"""

from __future__ import annotations

import dataclasses
import os
import sys

from benchmarks.arguments import make_parser
from benchmarks.recording import ROOT, Row, record
from benchmarks.toolchain.debian_cuda import make_toolkit
from benchmarks.toolchain.jetson_library import find_faults, read_facts
from benchmarks.toolchain.kernel_compilation import compile_kernel, kernel_sources, read_resources
from segpp_deploy.files import CACHE_VARIABLE
from segpp_deploy.plugin_library.build import PluginBuildOptions, build_plugin_library
from segpp_deploy.plugin_library.cuda_toolkit import CudaToolkit, inspect_toolkit
from segpp_deploy.plugin_library.library import PluginLibrary
from segpp_deploy.plugin_library.machines import AARCH64, Machine

ORIN = "87"


def main() -> int:
    parser = make_parser(__doc__)
    parser.add_argument("--check", action="store_true", help="record nothing")
    check = parser.parse_args().check
    toolkit = inspect_toolkit(make_toolkit() / "bin/nvcc", "Debian")
    library = build_library(toolkit)
    facts = read_facts(library.path, toolkit.nvcc.parent / "cuobjdump")
    faults = find_faults(facts)
    rows = measure_kernels(toolkit)
    print("\n".join(faults) or f"no fault in {library.path}", file=sys.stderr)
    if not check:
        made = {**dataclasses.asdict(facts), "size_bytes": library.path.stat().st_size, "faults": faults}
        record("jetpack6_library", {"made_with": library.record.to_dict(), "library": made, "rows": rows})
    return int(bool(faults) or not all(row["passed"] for row in rows))


def build_library(toolkit: CudaToolkit) -> PluginLibrary:
    """Build as a user does who has this toolkit in CUDA_HOME."""
    os.environ["CUDA_HOME"] = str(toolkit.root)
    os.environ.pop("CUDACXX", None)
    os.environ[CACHE_VARIABLE] = str(ROOT / "build/jetpack6_library")
    return build_plugin_library(PluginBuildOptions(architectures=(ORIN,), machine=Machine(AARCH64))).library


def measure_kernels(toolkit: CudaToolkit) -> list[Row]:
    """Return what each kernel takes of the GPU; it passes if nothing is spilled."""
    compiled = [compile_kernel(toolkit, source, ORIN) for source in kernel_sources()]
    return [
        {"source": each.source, **dataclasses.asdict(taken), "passed": not taken.spill_store_bytes}
        for each in compiled
        for taken in read_resources(each.log)
    ]


if __name__ == "__main__":
    sys.exit(main())
