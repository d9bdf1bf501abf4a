"""The plugin library for Jetsons, built on a PC: what can be read from it without one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.toolchain.jetson_library import ENTRY_POINTS, UBUNTU_22_04, LibraryFacts, find_faults, read_facts
from segpp_deploy.errors import SegppError
from segpp_deploy.plugin_library.build import PluginBuildOptions, PluginBuildResult, build_plugin_library
from segpp_deploy.plugin_library.cross_runtime import fetched_folder
from segpp_deploy.plugin_library.cuda_toolkit import CudaToolkit
from segpp_deploy.plugin_library.library import find_plugin_library
from segpp_deploy.plugin_library.machines import Machine
from segpp_deploy.plugin_library.sources import LibraryKind
from tests.plugins.native import locked
from tests.plugins.toolchain.conftest import toolkit
from tests.plugins.wheels import CONSTRAINTS, unpack_wheels

__all__ = ["toolkit"]

ORIN, THOR = "87", "110"


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
def facts(built: PluginBuildResult, toolkit: CudaToolkit) -> LibraryFacts:
    return read_facts(built.library.path, toolkit.nvcc.parent / "cuobjdump")


@pytest.mark.slow
def test_it_loads_on_jetpack_6(facts: LibraryFacts) -> None:
    """As far as it tells: the processor, the libraries and their versions, and what it exports."""
    assert find_faults(facts) == []
    assert facts.needed
    assert set(facts.symbol_versions) == set(UBUNTU_22_04)


def test_machine_code_for_both_boards(facts: LibraryFacts) -> None:
    assert set(facts.machine_code) == {ORIN, THOR}
    assert facts.ptx == (THOR,)


def test_what_it_says_of_itself(built: PluginBuildResult, jetson_machine: Machine) -> None:
    assert built.library.record.machine == jetson_machine.name
    (note,) = built.notes
    assert f"copy {built.library.path.parent} into ~/.cache/segpp-deploy/plugins there" in note
    assert "It needs a driver for CUDA 13 (JetPack 7; for JetPack 6 name" in note


def test_it_is_not_taken_for_one_of_this_machine(built: PluginBuildResult) -> None:
    with pytest.raises(SegppError, match="not built yet"):
        find_plugin_library()


def test_what_keeps_it_from_being_loaded_is_told() -> None:
    fit = LibraryFacts("AArch64", ("libc",), {"GLIBC": (2, 35)}, ENTRY_POINTS, (ORIN,), ())
    assert find_faults(fit) == []
    unfit = LibraryFacts("X86-64", ("libc", "libcudart"), {"GLIBC": (2, 36)}, ENTRY_POINTS[1:], (ORIN,), ())
    assert find_faults(unfit) == [
        "it is for X86-64",
        "it needs libcudart",
        "it needs GLIBC 2.36",
        "it exports setLoggerFinder",
    ]
