"""The plugin library for Jetsons, built on a PC: what can be read from it without one."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from segpp_deploy.errors import SegppError
from segpp_deploy.plugin_library.build import PluginBuildOptions, PluginBuildResult, build_plugin_library
from segpp_deploy.plugin_library.cross_runtime import fetched_folder
from segpp_deploy.plugin_library.cuda_toolkit import CudaToolkit
from segpp_deploy.plugin_library.library import find_plugin_library
from segpp_deploy.plugin_library.machines import Machine
from segpp_deploy.plugin_library.sources import LibraryKind
from tests.plugins.native import locked
from tests.plugins.toolchain.conftest import toolkit
from tests.plugins.toolchain.test_cmake import ENTRY_POINTS
from tests.plugins.wheels import CONSTRAINTS, unpack_wheels

__all__ = ["toolkit"]

ORIN, THOR = "87", "110"
OF_THE_SYSTEM = {"ld-linux-aarch64", "libc", "libdl", "libgcc_s", "libm", "libpthread", "librt", "libstdc++"}
UBUNTU_22_04 = {"GLIBC": (2, 35), "GLIBCXX": (3, 4, 30), "CXXABI": (1, 3, 13)}
"""What JetPack 6 has; JetPack 7 is newer."""


@pytest.fixture(scope="module")
def built(jetson_machine: Machine, toolkit: CudaToolkit) -> Iterator[PluginBuildResult]:
    """The library, in a cache of the tests that keeps it from run to run."""
    wheels = unpack_wheels(CONSTRAINTS / "aarch64.txt", "aarch64", "--platform", "manylinux2014_aarch64")
    with pytest.MonkeyPatch.context() as patch:
        cache = wheels.with_name(f"{wheels.name}-cache")
        patch.setenv("SEGPP_CACHE", str(cache))
        patch.setenv("CUDA_HOME", str(toolkit.root))
        patch.delenv("CUDACXX", raising=False)
        with locked(cache):
            if not (folder := fetched_folder(jetson_machine)).is_symlink():
                folder.symlink_to(wheels, target_is_directory=True)
            result = build_plugin_library(PluginBuildOptions(LibraryKind.CUDA, (ORIN, THOR), machine=jetson_machine))
        yield result


@pytest.fixture(scope="module")
def path(built: PluginBuildResult) -> Path:
    return built.library.path


def read(program: str | Path, *words: str | Path) -> str:
    return subprocess.run([program, *words], capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_processor(path: Path) -> None:
    assert re.search(r"^\s*Machine:\s+AArch64$", read("readelf", "-h", path), re.MULTILINE)


def test_it_needs_nothing_but_the_system(path: Path) -> None:
    needed = re.findall(r"\(NEEDED\).*\[(.+)\]", read("readelf", "-d", "-W", path))
    assert needed
    assert {name.partition(".so")[0] for name in needed} <= OF_THE_SYSTEM


def test_it_loads_on_jetpack_6(path: Path) -> None:
    """As far as versions of symbols tell."""
    found = re.findall(r"Name: (GLIBC|GLIBCXX|CXXABI)_([\d.]+)", read("readelf", "-V", "-W", path))
    newest = {name: max(tuple(map(int, text.split("."))) for of, text in found if of == name) for name, _ in found}
    assert set(newest) == set(UBUNTU_22_04)
    assert not {name: version for name, version in newest.items() if version > UBUNTU_22_04[name]}


def test_it_exports_what_the_library_of_a_pc_does(path: Path) -> None:
    rows = [line.split() for line in read("readelf", "--dyn-syms", "-W", path).splitlines()]
    defined = [row for row in rows if len(row) > 7 and row[4] in ("GLOBAL", "WEAK") and row[6].isdecimal()]
    assert {row[7] for row in defined} == ENTRY_POINTS


def test_machine_code_for_both_boards(path: Path, toolkit: CudaToolkit) -> None:
    cuobjdump = toolkit.nvcc.parent / "cuobjdump"
    assert set(re.findall(r"\.sm_(\d+)\.cubin", read(cuobjdump, "--list-elf", path))) == {ORIN, THOR}
    assert set(re.findall(r"\.sm_(\d+)\.ptx", read(cuobjdump, "--list-ptx", path))) == {THOR}


def test_what_it_says_of_itself(built: PluginBuildResult, jetson_machine: Machine) -> None:
    assert built.library.record.machine == jetson_machine.name
    (note,) = built.notes
    assert f"copy {built.library.path.parent} into ~/.cache/segpp-deploy/plugins there" in note
    assert note.endswith("It needs a driver for CUDA 13 (JetPack 7).")


def test_it_is_not_taken_for_one_of_this_machine(built: PluginBuildResult) -> None:
    with pytest.raises(SegppError, match="not built yet"):
        find_plugin_library()
