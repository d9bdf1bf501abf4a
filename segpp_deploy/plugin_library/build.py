"""Build the plugin library into the user's cache, or say that it is there already."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import segpp_deploy
from segpp_deploy import commands
from segpp_deploy.errors import SegppError
from segpp_deploy.files import require_writable, sha256_of, write_text
from segpp_deploy.plugin_library.architectures import driver_cuda_major, native_architectures, newest
from segpp_deploy.plugin_library.compile import CompileError, describe_failure, run_logged
from segpp_deploy.plugin_library.cross_runtime import describe_needs
from segpp_deploy.plugin_library.cuda_toolkit import CudaToolkit
from segpp_deploy.plugin_library.library import (
    HOST_KERNELS_NAME,
    LIBRARY_NAMES,
    PluginLibrary,
    libraries_folder,
    open_library,
)
from segpp_deploy.plugin_library.machines import Machine, this_machine
from segpp_deploy.plugin_library.record import PluginRecord, dump_record, record_path
from segpp_deploy.plugin_library.sources import LibraryKind, hash_sources, plugin_sources
from segpp_deploy.plugin_library.toolchain import Toolchain, find_toolchain
from segpp_deploy.progress import Progress, no_progress

_STEPS = ("Preparing the build", "Compiling the plugins")
_CMAKE_TARGETS = {
    LibraryKind.CUDA: ("segpp_plugins",),
    LibraryKind.KERNELS: ("segpp_kernels",),
    LibraryKind.HOST: ("segpp_host", "segpp_plugins_host"),
}
_MIB_PER_JOB = 1536  # what one run of nvcc may take at its peak


@dataclass(frozen=True)
class PluginBuildOptions:
    """What to build.

    Args:
        kind: of library.
        architectures: such as ("87",); none = of this machine's GPUs. The host build has none.
        tensorrt_root: where TensorRT lies; None = search. The kernels alone need none.
        machine: the processor it is for.
    """

    kind: LibraryKind = LibraryKind.CUDA
    architectures: tuple[str, ...] = ()
    tensorrt_root: Path | None = None
    machine: Machine = field(default_factory=this_machine)


@dataclass(frozen=True)
class PluginBuildResult:
    """A library, and whether it was there already, built from the same sources with the same tools."""

    library: PluginLibrary
    reused: bool

    @property
    def notes(self) -> tuple[str, ...]:
        """Say what to do with a library that is not for this machine."""
        record, folder = self.library.record, self.library.path.parent
        if Machine(record.machine).is_this:
            return ()
        copy = f"For {record.machine}: copy {folder} into ~/.cache/segpp-deploy/plugins there."
        if not record.architectures:
            return (copy,)
        needs = describe_needs(record.cuda_version, record.tensorrt_version, record.architectures)
        return (f"{copy} It needs {needs}.",)

    def tables(self) -> tuple[()]:
        """Return none: a library was built."""
        return ()

    def summary(self) -> str:
        """Say where the library is and what it is for."""
        verb = "Already built:" if self.reused else "Built"
        return f"{verb} {self.library.path} ({self.library.record.describe()})"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of `plugins build --json`."""
        kernels = self.library.kernels_path
        return {
            "path": str(self.library.path),
            "kernels_path": str(kernels) if kernels else None,
            "reused": self.reused,
            **self.library.record.to_dict(),
        }


def build_plugin_library(
    options: PluginBuildOptions | None = None, progress: Progress = no_progress
) -> PluginBuildResult:
    """Compile the plugins into a folder of the user's cache, where `find_plugin_library` finds them.

    The folder appears whole or not at all. What was built before from the same sources, with the same versions and for
    the same architectures, is returned as it is.

    Raises:
        SegppError: something is missing, does not fit, or does not compile.
    """
    options = options or PluginBuildOptions()
    progress(_STEPS[0], 0, 1)
    sources = plugin_sources()
    architectures, newest_cuda = _architectures(options)
    machine = options.machine
    toolchain = find_toolchain(options.kind, options.tensorrt_root, architectures, newest_cuda, machine)
    plan = _Plan(options.kind, architectures, toolchain, sources, hash_sources(sources, options.kind), machine)
    folder = libraries_folder(machine)
    target = folder / plan.folder_name
    existing = _reusable(target / LIBRARY_NAMES[options.kind], machine)
    if existing is not None:
        return PluginBuildResult(existing, reused=True)
    require_writable(target / LIBRARY_NAMES[options.kind])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".building-") as name:
        finished = _build(plan, Path(name), progress)
        _move_into_place(finished, target)
    return PluginBuildResult(open_library(target / LIBRARY_NAMES[options.kind], machine), reused=False)


@dataclass(frozen=True)
class _Plan:
    kind: LibraryKind
    architectures: tuple[str, ...]
    toolchain: Toolchain
    sources: Path
    source_sha256: str
    machine: Machine

    @property
    def folder_name(self) -> str:
        """One folder for each combination of all that decides what the library is."""
        tools = self.toolchain
        tensorrt = tools.tensorrt.version if tools.tensorrt else ""
        facts = (self.source_sha256, tools.cuda.version, tensorrt, tools.cxx.version, self.machine.name)
        key = hashlib.sha256("\0".join((*facts, *self.architectures)).encode()).hexdigest()[:16]
        return f"{self.kind}-{key}"

    def configure_command(self, build: Path) -> list[str]:
        """Return the command that makes the build tree."""
        tools = self.toolchain
        settings: dict[str, str | Path] = {
            "CMAKE_MAKE_PROGRAM": tools.ninja.path,
            "CMAKE_CXX_COMPILER": tools.cxx.path,
            "SEGPP_CUDA_INCLUDE_DIR": ";".join(map(str, tools.cuda.include_dirs)),
            "SEGPP_HOST": "OFF" if isinstance(tools.cuda, CudaToolkit) else "ON",
        }
        if tools.tensorrt is not None:
            settings["SEGPP_TENSORRT_INCLUDE_DIR"] = tools.tensorrt.include_dir
        if isinstance(tools.cuda, CudaToolkit):
            settings["CMAKE_CUDA_COMPILER"] = tools.cuda.nvcc
            settings["CMAKE_CUDA_HOST_COMPILER"] = tools.cxx.path
            settings["CMAKE_CUDA_ARCHITECTURES"] = cmake_architectures(self.architectures)
        if not self.machine.is_this:
            settings |= {"CMAKE_SYSTEM_NAME": "Linux", "CMAKE_SYSTEM_PROCESSOR": self.machine.name}
        if tools.cuda_runtime is not None:
            # The linker passes over the runtime of this processor, which it meets later. The nvcc of a whole toolkit
            # looks for headers in the target's folder alone; they are the same for all.
            link = f'-L"{tools.cuda_runtime}"'
            headers = [f'-isystem "{folder}"' for folder in tools.cuda.include_dirs]
            settings |= {"CMAKE_SHARED_LINKER_FLAGS": link, "CMAKE_CUDA_FLAGS": " ".join([link, *headers])}
        words = [f"-D{name}={value}" for name, value in settings.items()]
        return [str(tools.cmake.path), "-G", "Ninja", "-S", str(self.sources), "-B", str(build), *words]

    def build_command(self, build: Path) -> list[str]:
        """Return the command that compiles."""
        command = [str(self.toolchain.cmake.path), "--build", str(build), "--parallel", str(_jobs())]
        return [*command, "--target", *_CMAKE_TARGETS[self.kind]]


def cmake_architectures(architectures: tuple[str, ...]) -> str:
    """Return CMake's list: machine code for each, and PTX of the newest for GPUs that come later.

    Example:
        >>> cmake_architectures(("87", "89"))
        '87-real;89'
    """
    last = newest(architectures)
    return ";".join(name if name == last else f"{name}-real" for name in architectures)


def _architectures(options: PluginBuildOptions) -> tuple[tuple[str, ...], int | None]:
    """Return what to compile for, and the newest CUDA that may run it here, where here is where it will run."""
    if options.kind is LibraryKind.HOST:
        return (), None
    if options.architectures:
        return options.architectures, None
    if not options.machine.is_this:
        raise SegppError(
            f"Which GPUs the {options.machine.name} machine has cannot be seen from here.",
            "--arch.",
            commands.build_plugins("87", machine=options.machine.name) + " (Jetson Orin; 110: Jetson Thor)",
        )
    return native_architectures(), driver_cuda_major()


def _reusable(library: Path, machine: Machine) -> PluginLibrary | None:
    try:
        return open_library(library, machine) if library.is_file() else None
    except SegppError:
        return None  # damaged: it is built again


def _build(plan: _Plan, folder: Path, progress: Progress) -> Path:
    """Compile in `folder` and return the folder of the finished files."""
    build, log, result = folder / "build", folder / "log.txt", folder / "result"
    start = time.perf_counter()
    try:
        with log.open("w", encoding="utf-8") as stream:
            environment = _environment(folder)
            run_logged(plan.configure_command(build), stream, _STEPS[0], progress, environment)
            run_logged(plan.build_command(build), stream, _STEPS[1], progress, environment)
    except CompileError as error:
        kept = libraries_folder(plan.machine) / f"{plan.kind}-failed.log"
        write_text(kept, f"{log.read_text(encoding='utf-8', errors='replace')}{error}\n")
        raise describe_failure(kept) from error
    result.mkdir()
    names = [LIBRARY_NAMES[plan.kind], *((HOST_KERNELS_NAME,) if plan.kind is LibraryKind.HOST else ())]
    for name in names:
        shutil.copy2(build / name, result / name)
    library = result / LIBRARY_NAMES[plan.kind]
    write_text(record_path(library), dump_record(_describe(plan, library, time.perf_counter() - start)))
    return result


def _describe(plan: _Plan, library: Path, seconds: float) -> PluginRecord:
    return PluginRecord(
        kind=plan.kind,
        architectures=plan.architectures,
        ptx=newest(plan.architectures) if plan.architectures else None,
        sha256=sha256_of(library),
        source_sha256=plan.source_sha256,
        cuda_version=plan.toolchain.cuda.version,
        tensorrt_version=plan.toolchain.tensorrt.version if plan.toolchain.tensorrt else None,
        compiler=f"{plan.toolchain.cxx.path.name} {plan.toolchain.cxx.version}",
        machine=plan.machine.name,
        tool_version=segpp_deploy.__version__,
        build_seconds=round(seconds, 1),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )


def _move_into_place(finished: Path, target: Path) -> None:
    if target.exists():  # damaged, or another process was quicker; a folder is not replaced in one step
        target.rename(finished.with_name("replaced"))
    finished.rename(target)


def _environment(folder: Path) -> Mapping[str, str]:
    """Return our environment less the flags that CMake would take from it, with temporary files that go with us."""
    ignored = ("CXXFLAGS", "CUDAFLAGS", "LDFLAGS", "CUDAARCHS", "NVCC_PREPEND_FLAGS", "NVCC_APPEND_FLAGS")
    kept = {name: value for name, value in os.environ.items() if name not in ignored}
    return {**kept, "TMPDIR": str(folder), "LC_ALL": "C"}


def _jobs() -> int:
    """Return how many compilers may run at once: small devices have more cores than memory for them."""
    cores = os.cpu_count() or 1
    try:
        mib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    except (ValueError, OSError):
        return cores
    return max(1, min(cores, mib // _MIB_PER_JOB))
