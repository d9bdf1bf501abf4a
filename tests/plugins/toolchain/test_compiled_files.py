"""The hash of a library covers every file that its build reads, and nothing else."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from segpp_deploy.plugin_library.build_tools import find_ninja
from segpp_deploy.plugin_library.cuda_toolkit import CudaToolkit
from segpp_deploy.plugin_library.sources import LibraryKind, plugin_sources, source_files
from segpp_deploy.plugin_library.toolchain import find_toolchain
from tests.plugins.native import PLAIN, build_tree

FOLDER = plugin_sources()
READ_BY_THE_LINKER = {"tensorrt/exports.map"}


def run(*command: object) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done.stdout


def ours(paths: Iterable[str]) -> set[str]:
    """Return the paths that are below `plugins/`, relative to it."""
    found = (Path(path).resolve() for path in paths)
    return {path.relative_to(FOLDER).as_posix() for path in found if path.is_relative_to(FOLDER)}


def hashed(kind: LibraryKind) -> set[str]:
    return {path.relative_to(FOLDER).as_posix() for path in source_files(FOLDER, kind)}


def read_by_cmake(build: Path) -> set[str]:
    """Return the files of ours that CMake read for a build tree."""
    lines = run(find_ninja().path, "-C", build, "-t", "query", "build.ninja").splitlines()
    return ours(line.strip().removeprefix("| ") for line in lines if "CMakeLists.txt" in line or ".cmake" in line)


def test_host_library() -> None:
    build = build_tree(PLAIN, "segpp_host", "segpp_plugins_host")
    objects = run(find_ninja().path, "-C", build, "-t", "deps").split("\n\n")
    of_tests = tuple(f"CMakeFiles/{name}.dir/" for name in ("conformance_driver", "emulator_tests", "kernel_calls"))
    lines = [line for text in objects if not text.startswith(of_tests) for line in text.splitlines()]
    read = read_by_cmake(build) | ours(line.strip() for line in lines if line.startswith(" "))
    assert hashed(LibraryKind.HOST) - {"cuda/device.h"} == read | READ_BY_THE_LINKER


def test_cuda_library(tmp_path: Path, toolkit: CudaToolkit) -> None:
    tools = replace(find_toolchain(LibraryKind.HOST), cuda=toolkit)
    nvcc = ["-arch=sm_87", "-ccbin", tools.cxx.path, f"-I{FOLDER}"]
    settings = {
        "CMAKE_MAKE_PROGRAM": tools.ninja.path,
        "SEGPP_CUDA_INCLUDE_DIR": ";".join(map(str, tools.cuda.include_dirs)),
        "SEGPP_TENSORRT_INCLUDE_DIR": tools.tensorrt.include_dir,
        "CMAKE_CUDA_COMPILER": toolkit.nvcc,
        "CMAKE_CUDA_HOST_COMPILER": tools.cxx.path,
        "CMAKE_CUDA_ARCHITECTURES": 87,
    }
    words = [f"-D{name}={value}" for name, value in settings.items()]
    run(tools.cmake.path, "-G", "Ninja", "-S", FOLDER, "-B", tmp_path, *words)
    read = read_by_cmake(tmp_path)
    system = [f"-isystem{path}" for path in (*toolkit.include_dirs, tools.tensorrt.include_dir)]
    for source in sorted(FOLDER.glob("kernels/*.cu")):
        read |= ours(dependencies(run(toolkit.nvcc, *nvcc, "-M", source)))
    for source in sorted(FOLDER.glob("tensorrt/*.cpp")):
        read |= ours(dependencies(run(tools.cxx.path, "-std=c++17", f"-I{FOLDER}", *system, "-M", source)))
    assert hashed(LibraryKind.CUDA) == read | READ_BY_THE_LINKER


def dependencies(rule: str) -> list[str]:
    """Return the files of a rule for make that a compiler wrote."""
    return rule.partition(":")[2].replace("\\\n", " ").split()
