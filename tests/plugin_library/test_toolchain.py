from __future__ import annotations

import pytest

from segpp_deploy.errors import SegppError
from segpp_deploy.plugin_library.build_tools import find_cmake, find_cxx, find_ninja
from segpp_deploy.plugin_library.cuda_toolkit import CudaHeaders, CudaToolkit
from segpp_deploy.plugin_library.missing import MissingToolError
from segpp_deploy.plugin_library.sources import LibraryKind
from segpp_deploy.plugin_library.toolchain import find_toolchain

from .conftest import Computer, write_script


def test_all_is_found(computer: Computer) -> None:
    computer.add_tools()
    computer.add_cuda()
    computer.add_tensorrt()
    tools = find_toolchain(LibraryKind.CUDA, architectures=["87"])
    assert isinstance(tools.cuda, CudaToolkit)
    assert (tools.cmake.version, tools.ninja.version, tools.cxx.version) == ("3.31.2", "1.13.2", "12.2.0")
    assert isinstance(find_toolchain(LibraryKind.HOST).cuda, CudaHeaders)


def test_all_that_is_missing_is_told_at_once(computer: Computer) -> None:
    with pytest.raises(SegppError, match="5 things are missing") as caught:
        find_toolchain(LibraryKind.CUDA)
    for part in ("cmake", "ninja", "a C++ compiler", "nvcc", "the TensorRT headers"):
        assert part in caught.value.what
    assert caught.value.fix.count("\n") == 3  # one line a command; that for cmake and ninja is the same
    for command in ("pip install 'segpp-deploy[plugins]'", "apt install g++", "--tensorrt-root"):
        assert command in caught.value.fix


def test_one_missing_thing_keeps_its_own_message(computer: Computer) -> None:
    computer.add_tools("cmake", "c++")
    computer.add_cuda()
    computer.add_tensorrt()
    with pytest.raises(MissingToolError, match="one thing is missing: ninja"):
        find_toolchain(LibraryKind.CUDA)


def test_what_does_not_fit_is_told_before_what_is_missing(computer: Computer) -> None:
    computer.add_cuda()
    with pytest.raises(SegppError, match="sm_999"):
        find_toolchain(LibraryKind.CUDA, architectures=["999"])


def test_pip_s_programs_need_no_activated_environment(computer: Computer) -> None:
    computer.add_program("cmake", "cmake version 3.18.4")
    with pytest.raises(MissingToolError) as caught:
        find_cmake()
    assert "is 3.18.4" in caught.value.expected
    path = write_script(computer.root / "venv/bin/cmake", "#!/bin/sh\necho cmake version 4.4.4\n")
    assert find_cmake().path == path


@pytest.mark.parametrize(("name", "find"), [("cmake", find_cmake), ("ninja", find_ninja), ("c++", find_cxx)])
def test_programs_that_do_not_run(name: str, find, computer: Computer) -> None:
    write_script(computer.programs / name, "#!/bin/sh\nexit 1\n")
    with pytest.raises(MissingToolError):
        find()


def test_the_named_compiler(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    computer.add_tools("c++")
    computer.add_program("g++-13", "g++-13 (Distribution) 13.1.0")
    monkeypatch.setenv("CXX", "g++-13")
    assert find_cxx().version == "13.1.0"
    monkeypatch.setenv("CXX", "g++-99")
    with pytest.raises(MissingToolError) as caught:
        find_cxx()
    assert "CXX=g++-99" in caught.value.expected
