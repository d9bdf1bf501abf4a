from __future__ import annotations

import pytest

from segpp_deploy.errors import SegppError
from segpp_deploy.plugin_library import machines
from segpp_deploy.plugin_library.cross_runtime import describe_needs, fetched_folder, find_cuda_runtime
from segpp_deploy.plugin_library.cuda_toolkit import find_cuda_toolkit
from segpp_deploy.plugin_library.machines import AARCH64, Machine, parse_machine
from segpp_deploy.plugin_library.missing import MissingToolError
from segpp_deploy.plugin_library.sources import LibraryKind
from segpp_deploy.plugin_library.toolchain import find_toolchain

from .conftest import Computer, write

JETSON = Machine(AARCH64)
LIBRARY = "libcudart_static.a"


@pytest.fixture(autouse=True)
def pc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the tests run, this is a PC."""
    monkeypatch.setattr(machines.platform, "machine", lambda: "x86_64")


def test_machines() -> None:
    assert parse_machine(None) == parse_machine("x86_64") == Machine("x86_64")
    assert parse_machine("x86_64").is_this
    assert not parse_machine("aarch64").is_this
    with pytest.raises(SegppError, match="'arm64' is no processor") as caught:
        parse_machine("arm64")
    assert caught.value.fix == "--machine aarch64"


@pytest.mark.parametrize("target", ["sbsa", "aarch64"])
def test_of_the_toolkit_s_cross_packages(computer: Computer, target: str) -> None:
    computer.add_cuda(version="12.6.85")
    path = write(computer.root / f"usr/local/cuda/targets/{target}-linux/lib/{LIBRARY}")
    assert find_cuda_runtime(find_cuda_toolkit(), JETSON) == path.parent


def test_boards_have_a_runtime_of_their_own_before_cuda_13(computer: Computer) -> None:
    computer.add_cuda(version="12.6.85")
    targets = computer.root / "usr/local/cuda/targets"
    for name in ("sbsa", "aarch64"):
        write(targets / f"{name}-linux/lib/{LIBRARY}")
    assert find_cuda_runtime(find_cuda_toolkit(), JETSON) == targets / "aarch64-linux/lib"


def test_of_pip_s_wheel(computer: Computer) -> None:
    computer.add_pip_cuda()
    toolkit = find_cuda_toolkit()
    with pytest.raises(MissingToolError, match="CUDA's runtime for aarch64") as caught:
        find_cuda_runtime(toolkit, JETSON)
    assert caught.value.fix == (
        f"pip install --target {fetched_folder(JETSON)} --platform manylinux2014_aarch64 --only-binary :all: "
        "--no-deps 'nvidia-cuda-runtime==13.5.*'"
    )
    write(fetched_folder(JETSON) / f"nvidia/cu12/lib/{LIBRARY}")  # of another major version
    with pytest.raises(MissingToolError):
        find_cuda_runtime(toolkit, JETSON)
    path = write(fetched_folder(JETSON) / f"nvidia/cu13/lib/{LIBRARY}")
    assert find_cuda_runtime(toolkit, JETSON) == path.parent


def test_pip_has_none_of_cuda_12(computer: Computer) -> None:
    computer.add_cuda(version="12.6.85")
    with pytest.raises(MissingToolError) as caught:
        find_cuda_runtime(find_cuda_toolkit(), JETSON)
    assert caught.value.fix == "sudo apt install cuda-cross-aarch64-12-6 (in NVIDIA's repository)"


def test_all_that_is_missing_is_told_at_once(computer: Computer) -> None:
    computer.add_tools()
    computer.add_cuda()
    computer.add_tensorrt(computer.root / "usr/include/x86_64-linux-gnu")  # whose folder holds a PC's own headers too
    with pytest.raises(SegppError, match="3 things are missing") as caught:
        find_toolchain(LibraryKind.CUDA, architectures=["87"], machine=JETSON)
    for part in ("a C++ cross compiler", "CUDA's runtime for aarch64", "the TensorRT headers"):
        assert part in caught.value.what
    assert "sudo apt install g++-aarch64-linux-gnu" in caught.value.fix


def test_a_host_build_needs_no_runtime(computer: Computer) -> None:
    computer.add_tools()
    computer.add_cuda()
    computer.add_tensorrt(computer.root / "usr/include/aarch64-linux-gnu")
    compiler = computer.add_program("aarch64-linux-gnu-g++", "aarch64-linux-gnu-g++ (Distribution) 12.2.0")
    tools = find_toolchain(LibraryKind.HOST, machine=JETSON)
    assert (tools.cxx.path, tools.cxx.version, tools.cuda_runtime) == (compiler, "12.2.0", None)


def test_what_runs_it() -> None:
    assert describe_needs("12.6.85", None, ["87"]) == "a driver for CUDA 12 (JetPack 6)"
    assert describe_needs("12.6.85", "10.3.0", ["87"]).endswith("(JetPack 6) and TensorRT 10.3 or newer")
    assert describe_needs("14.0.1", None, ["110"]) == "a driver for CUDA 14"


def test_orin_may_have_either_jetpack() -> None:
    needs = describe_needs("13.5.37", None, ["87", "110"])
    assert needs == "a driver for CUDA 13 (JetPack 7; for JetPack 6 name NVIDIA's CUDA 12.6 by CUDA_HOME)"
