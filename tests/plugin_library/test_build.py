"""The build's frame, with a cmake of our own making; tests/plugins/toolchain compiles for real."""

from __future__ import annotations

from pathlib import Path

import pytest

from segpp_deploy.errors import SegppError
from segpp_deploy.plugin_library import build, library, machines
from segpp_deploy.plugin_library.build import PluginBuildOptions, build_plugin_library, cmake_architectures
from segpp_deploy.plugin_library.cross_runtime import fetched_folder
from segpp_deploy.plugin_library.library import find_plugin_library, libraries_folder
from segpp_deploy.plugin_library.machines import Machine
from segpp_deploy.plugin_library.sources import LibraryKind

from .conftest import Computer, write, write_script

ORIN = PluginBuildOptions(architectures=("87",))
CMAKE = """#!/bin/sh
export PATH=/usr/bin:/bin
case "$1" in
  --version) echo cmake version 3.31.2; exit ;;
  --build) printf code > "$2/libsegpp_plugins.so"; printf code > "$2/libsegpp_plugins_host.so"
           printf code > "$2/libsegpp_host.so"; echo "[1/1] Linking"; {ending} ;;
  *) while [ "$1" != -B ]; do shift; done; mkdir -p "$2"; echo "$@" > {arguments} ;;
esac
"""


@pytest.fixture
def arguments(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the fake cmake notes what it was asked; everything a build needs is there."""
    computer.add_tools("ninja", "c++")
    computer.add_cuda()
    computer.add_tensorrt()
    folder = computer.root / "plugins"
    write(folder / "CMakeLists.txt")
    monkeypatch.setattr(build, "plugin_sources", lambda: folder)
    monkeypatch.setattr(library, "plugin_sources", lambda: folder)
    return make_cmake(computer)


def make_cmake(computer: Computer, ending: str = "true") -> Path:
    noted = computer.root / "arguments"
    write_script(computer.programs / "cmake", CMAKE.format(arguments=noted, ending=ending))
    return noted


def test_built_found_and_reused(arguments: Path) -> None:
    steps: list[str] = []
    first = build_plugin_library(ORIN, lambda step, done, total: steps.append(step))
    assert list(dict.fromkeys(steps)) == ["Preparing the build", "Compiling the plugins"]
    assert not first.reused
    assert find_plugin_library() == first.library
    again = build_plugin_library(ORIN)
    assert again.reused
    assert again.library == first.library
    assert first.to_dict()["path"] == str(first.library.path)
    assert first.to_dict()["architectures"] == ["87"]


def test_the_words_to_cmake(arguments: Path, computer: Computer) -> None:
    build_plugin_library(PluginBuildOptions(architectures=("80", "87")))
    words = arguments.read_text()
    assert "-DCMAKE_CUDA_ARCHITECTURES=80-real;87" in words
    assert f"-DCMAKE_CUDA_COMPILER={computer.root / 'usr/local/cuda/bin/nvcc'}" in words
    assert "-DSEGPP_HOST=OFF" in words


def test_host_build(arguments: Path) -> None:
    result = build_plugin_library(PluginBuildOptions(LibraryKind.HOST))
    assert "-DSEGPP_HOST=ON" in arguments.read_text()
    assert "CUDA_ARCHITECTURES" not in arguments.read_text()
    assert result.library == find_plugin_library(LibraryKind.HOST)
    assert result.library.kernels_path is not None
    assert result.to_dict()["architectures"] == []
    with pytest.raises(SegppError, match="not built yet"):
        find_plugin_library()


def test_other_gpus_get_another_folder(arguments: Path) -> None:
    paths = {
        build_plugin_library(PluginBuildOptions(architectures=names)).library.path for names in (("87",), ("80", "87"))
    }
    assert len(paths) == 2


def test_a_damaged_library_is_built_again(arguments: Path) -> None:
    path = build_plugin_library(ORIN).library.path
    path.write_text("damaged")
    assert not build_plugin_library(ORIN).reused
    assert path.read_text() == "code"


def test_a_failed_build_leaves_the_log_only(arguments: Path, computer: Computer) -> None:
    make_cmake(computer, "echo 'a.cu(1): error: no'; exit 1")
    with pytest.raises(SegppError, match=r"did not compile: a\.cu\(1\): error: no") as caught:
        build_plugin_library(ORIN)
    assert caught.value.exit_code == 2
    assert [path.name for path in libraries_folder().iterdir()] == ["cuda-failed.log"]
    assert str(libraries_folder() / "cuda-failed.log") in caught.value.fix


def test_an_interrupted_build_leaves_nothing(arguments: Path) -> None:
    def press_ctrl_c(step: str, done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_plugin_library(ORIN, press_ctrl_c)
    assert list(libraries_folder().iterdir()) == []


def test_an_unwritable_cache(arguments: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SEGPP_CACHE", str(write(tmp_path / "file")))
    with pytest.raises(SegppError, match="Cannot write"):
        build_plugin_library(ORIN)


def test_no_gpu_and_no_architecture(arguments: Path) -> None:
    with pytest.raises(SegppError, match="No NVIDIA GPU"):
        build_plugin_library()


def test_the_driver_counts_where_the_library_will_run(arguments: Path, computer: Computer) -> None:
    write(computer.root / "compatible", "nvidia,tegra234\0")
    write_script(computer.programs / "nvidia-smi", "#!/bin/sh\necho 'CUDA Version: 12.6'\n")
    with pytest.raises(SegppError, match="driver runs CUDA 12"):
        build_plugin_library()
    assert build_plugin_library(ORIN).library.record.architectures == ("87",)


@pytest.fixture
def jetson_tools(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """On a PC, what builds for a Jetson."""
    monkeypatch.setattr(machines.platform, "machine", lambda: "x86_64")
    computer.add_program("aarch64-linux-gnu-g++", "aarch64-linux-gnu-g++ (Distribution) 12.2.0")
    machine = Machine("aarch64")
    write(fetched_folder(machine) / "nvidia/cu13/lib/libcudart_static.a")
    return machine


def test_for_a_jetson_on_a_pc(arguments: Path, computer: Computer, jetson_tools: Machine) -> None:
    computer.add_tensorrt(computer.site_packages / "kernel_lens/include/tensorrt")
    result = build_plugin_library(PluginBuildOptions(architectures=("87", "120"), machine=jetson_tools))
    words, runtime = arguments.read_text(), fetched_folder(jetson_tools) / "nvidia/cu13/lib"
    for word in (
        "-DCMAKE_SYSTEM_NAME=Linux",
        "-DCMAKE_SYSTEM_PROCESSOR=aarch64",
        f"-DCMAKE_CXX_COMPILER={computer.programs / 'aarch64-linux-gnu-g++'}",
        f"-DCMAKE_CUDA_HOST_COMPILER={computer.programs / 'aarch64-linux-gnu-g++'}",
        f'-DCMAKE_SHARED_LINKER_FLAGS=-L"{runtime}"',
        f'-DCMAKE_CUDA_FLAGS=-L"{runtime}" -isystem "{computer.root}/usr/local/cuda/include"',
    ):
        assert word in words
    assert result.library.record.machine == "aarch64"
    assert result.library.path.parent.parent == libraries_folder() / "aarch64"
    assert result.notes == (
        f"For aarch64: copy {result.library.path.parent} into ~/.cache/segpp-deploy/plugins there. "
        "It needs a driver for CUDA 13 (JetPack 7; for JetPack 6 name NVIDIA's CUDA 12.6 by CUDA_HOME) "
        "and TensorRT 10.14 or newer.",
    )
    assert build_plugin_library(PluginBuildOptions(architectures=("87", "120"), machine=jetson_tools)).reused
    with pytest.raises(SegppError, match="not built yet"):
        find_plugin_library()


def test_which_gpus_another_machine_has(arguments: Path, jetson_tools: Machine) -> None:
    with pytest.raises(SegppError, match="Which GPUs the aarch64 machine has") as caught:
        build_plugin_library(PluginBuildOptions(machine=jetson_tools))
    assert caught.value.fix.startswith("segpp-deploy plugins build --arch 87 --machine aarch64")


def test_libraries_for_this_machine_have_no_note(arguments: Path) -> None:
    assert build_plugin_library(ORIN).notes == ()


def test_ptx_of_the_newest() -> None:
    assert cmake_architectures(("75", "87", "120")) == "75-real;87-real;120"
