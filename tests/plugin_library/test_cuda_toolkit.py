from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from segpp_deploy.errors import SegppError
from segpp_deploy.plugin_library.cuda_toolkit import find_cuda_headers, find_cuda_toolkit
from segpp_deploy.plugin_library.missing import MissingToolError

from .conftest import Computer, write, write_script


def test_jetpack(computer: Computer) -> None:
    nvcc = computer.add_cuda(version="12.6.68")
    found = find_cuda_toolkit(["87"])
    assert (found.nvcc, found.version, found.origin) == (nvcc, "12.6.68", "system")
    assert found.include_dirs == (nvcc.parent.parent / "include",)
    assert found.architectures == ("75", "80", "87", "120")


def test_pip_needs_no_toolkit(computer: Computer) -> None:
    nvcc = computer.add_pip_cuda()
    found = find_cuda_toolkit(["87"])
    assert (found.nvcc, found.origin) == (nvcc, "pip")
    include = nvcc.parent.parent / "include"
    assert found.include_dirs == (include, include / "cccl")


@pytest.mark.parametrize(
    ("part", "wheel"),
    [
        ("nvvm/bin/cicc", "nvidia-nvvm"),
        ("include/crt/host_config.h", "nvidia-cuda-crt"),
        ("include/cuda_runtime_api.h", "nvidia-cuda-runtime"),
        ("include/cccl/nv/target", "nvidia-cuda-cccl"),
    ],
)
def test_an_incomplete_pip_installation_names_the_wheel(part: str, wheel: str, computer: Computer) -> None:
    root = computer.add_pip_cuda().parent.parent
    (root / part).unlink()
    with pytest.raises(MissingToolError) as caught:
        find_cuda_toolkit()
    assert f"pip install {wheel}." in caught.value.expected


def test_order(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    computer.add_pip_cuda()
    found = [find_cuda_toolkit().origin]
    computer.add_cuda()
    found.append(find_cuda_toolkit().origin)
    # A script on PATH that calls the real one, as some distributions have it, says where the toolkit lies.
    other = computer.add_cuda(computer.root / "opt/cuda")
    shutil.copy2(other, computer.programs / "nvcc")
    found.append(find_cuda_toolkit().origin)
    assert find_cuda_toolkit().include_dirs == (computer.root / "opt/cuda/include",)
    for name in ("CUDA_PATH", "CUDA_HOME"):
        computer.add_cuda(computer.root / name)
        monkeypatch.setenv(name, str(computer.root / name))
        found.append(find_cuda_toolkit().origin)
    monkeypatch.setenv("CUDACXX", str(computer.add_cuda(computer.root / "named")))
    found.append(find_cuda_toolkit().origin)
    assert found == ["pip", "system", "PATH", "CUDA_PATH", "CUDA_HOME", "CUDACXX"]


def test_a_compiler_that_does_not_know_the_gpu_is_passed_over(computer: Computer) -> None:
    computer.add_cuda(version="11.8.89", architectures="75 80 87")
    computer.add_pip_cuda()
    assert find_cuda_toolkit(["120"]).origin == "pip"
    with pytest.raises(SegppError, match=r"nvcc 11\.8\.89 .* cannot compile for sm_121"):
        find_cuda_toolkit(["121"])


def test_a_compiler_that_is_too_new_for_the_driver_is_passed_over(computer: Computer) -> None:
    computer.add_pip_cuda()
    with pytest.raises(SegppError, match="driver runs CUDA 12") as caught:
        find_cuda_toolkit(["87"], newest_major=12)
    assert "CUDA_HOME" in caught.value.fix
    computer.add_cuda(version="12.6.68")
    assert find_cuda_toolkit(["87"], newest_major=12).origin == "system"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("#!/bin/sh\nexit 3\n", "ends with code 3"),
        ("#!/bin/sh\necho hello\n", "does not say its version"),
        ("#!/no/such/shell\n", "does not run"),
    ],
)
def test_a_broken_compiler_is_named(script: str, why: str, computer: Computer) -> None:
    nvcc = write_script(computer.programs / "nvcc", script)
    with pytest.raises(MissingToolError) as caught:
        find_cuda_toolkit()
    assert str(nvcc) in caught.value.expected
    assert why in caught.value.expected


@pytest.mark.parametrize("part", ["include/cuda_runtime_api.h", "lib64/libcudart_static.a"])
def test_a_toolkit_without_its_parts(part: str, computer: Computer) -> None:
    root = computer.add_cuda().parent.parent
    (root / part).unlink()
    with pytest.raises(MissingToolError) as caught:
        find_cuda_toolkit()
    assert Path(part).name in caught.value.expected


def test_nothing_at_all(computer: Computer) -> None:
    for find in (find_cuda_toolkit, find_cuda_headers):
        with pytest.raises(MissingToolError) as caught:
            find()
        assert "pip install 'segpp-deploy[plugins]'" in caught.value.fix


def test_headers_need_no_compiler(computer: Computer) -> None:
    computer.add_cuda(version="12.6.68").unlink()
    assert find_cuda_headers().version == "12.6"


def test_headers_of_the_wheels_of_cuda_12(computer: Computer) -> None:
    nvidia = computer.site_packages / "nvidia"
    write(nvidia / "cuda_runtime/include/cuda_runtime_api.h", "#define CUDART_VERSION  12090\n")
    with pytest.raises(MissingToolError, match="CUDA headers"):
        find_cuda_headers()
    write(nvidia / "cuda_cccl/include/nv/target")
    found = find_cuda_headers()
    assert found.version == "12.9"
    assert found.include_dirs == (nvidia / "cuda_runtime/include", nvidia / "cuda_cccl/include")
