"""Compile the host build for tests: four trees, each once for all workers of pytest-xdist.

CMake and ninja decide what is out of date; a file lock keeps two workers from building in one tree.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from segpp_deploy.plugin_library.build_tools import find_cmake, find_cross_cxx, find_cxx, find_ninja
from segpp_deploy.plugin_library.cuda_toolkit import find_cuda_headers
from segpp_deploy.plugin_library.machines import AARCH64, Machine, this_machine
from segpp_deploy.plugin_library.tensorrt_headers import pip_include_folders

REPOSITORY = Path(__file__).parents[2]
PLUGINS = REPOSITORY / "plugins"
BUILDS = REPOSITORY / "build" / "tests"


@dataclass(frozen=True)
class HostBuild:
    """One way to compile `plugins/` for the CPU.

    Args:
        sanitize: with AddressSanitizer and UndefinedBehaviorSanitizer.
        cxx_standard: 17 or 20.
        architecture: whose code paths the kernels take, 75 or 80.
        cxx_flags: further flags of the compiler.
        build_type: CMake's; one that it does not know adds no flags.
        machine: the processor to compile for; for another than this one, programs are linked statically.
    """

    sanitize: bool = False
    cxx_standard: int = 17
    architecture: int = 80
    cxx_flags: str = ""
    build_type: str = "Release"
    machine: Machine = field(default_factory=this_machine)

    @property
    def settings(self) -> dict[str, str]:
        """What CMake is told, tools and headers aside."""
        return {
            "SEGPP_HOST": "ON",
            "SEGPP_SANITIZE": "ON" if self.sanitize else "OFF",
            "CMAKE_BUILD_TYPE": self.build_type,
            "CMAKE_CXX_STANDARD": str(self.cxx_standard),
            "SEGPP_HOST_ARCH": str(self.architecture),
            "CMAKE_CXX_FLAGS": self.cxx_flags,
            **({} if self.machine.is_this else self._cross_settings),
        }

    @property
    def _cross_settings(self) -> dict[str, str]:
        return {
            "CMAKE_SYSTEM_NAME": "Linux",
            "CMAKE_SYSTEM_PROCESSOR": self.machine.name,
            "CMAKE_CXX_COMPILER": str(find_cross_cxx(self.machine.cross_compiler).path),
            "CMAKE_EXE_LINKER_FLAGS": "-static",
        }


PLAIN = HostBuild()
SANITIZED = HostBuild(sanitize=True)
# All that may differ, at once: ucontext is what runs on processors that have no stack switch of their own.
OTHER = HostBuild(cxx_standard=20, architecture=75, cxx_flags="-O1 -DSEGPP_SIMT_UCONTEXT=1", build_type="Other")
JETSON = HostBuild(machine=Machine(AARCH64))


def build_host(target: str, how: HostBuild = PLAIN) -> Path:
    """Compile a target of `plugins/CMakeLists.txt` and return its program or library.

    Raises:
        SegppError: a compiler, a tool or headers are missing; says how to install them.
        AssertionError: it does not compile; shows the compiler's output.
    """
    folder = build_tree(how, target)
    program = folder / target
    return program if program.is_file() else folder / f"lib{target}.so"


@functools.cache  # looking whether all is up to date takes half a second
def build_tree(how: HostBuild, *targets: str) -> Path:
    """Compile some targets, as `build_host` does, and return the folder that they lie in."""
    settings = {**_tools(), **how.settings}
    key = hashlib.sha256(repr(sorted(settings.items())).encode()).hexdigest()[:12]
    folder = BUILDS / f"host-{key}"
    cmake = str(find_cmake().path)
    with locked(folder):
        if not (folder / "build.ninja").is_file():
            definitions = [f"-D{name}={value}" for name, value in settings.items()]
            _run([cmake, "-G", "Ninja", "-S", str(PLUGINS), "-B", str(folder), *definitions])
        _run([cmake, "--build", str(folder), "--target", *targets])
    return folder


@functools.cache
def _tools() -> dict[str, str]:
    headers = pip_include_folders()  # of the version whose registry the conformance tests have
    return {
        **({"SEGPP_TENSORRT_INCLUDE_DIR": str(headers[0])} if headers else {}),
        "CMAKE_MAKE_PROGRAM": str(find_ninja().path),
        "CMAKE_CXX_COMPILER": str(find_cxx().path),
        "SEGPP_CUDA_INCLUDE_DIR": ";".join(map(str, find_cuda_headers().include_dirs)),
    }


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes that ask for the same folder waiting."""
    folder.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file closes
        yield


def _run(command: list[str]) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}"
