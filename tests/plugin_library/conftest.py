"""A computer of our own making: no compilers but those a test puts there, and an empty cache."""

from __future__ import annotations

import importlib.util
import platform
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from segpp_deploy.hardware import jetson
from segpp_deploy.plugin_library import build_tools, cuda_toolkit, tensorrt_headers

NVCC = """#!/bin/sh
case "$1" in
  --version) echo "Cuda compilation tools, release {release}, V{version}" ;;
  --list-gpu-arch) for name in {architectures}; do echo compute_$name; done ;;
  --dryrun) echo "#$ TOP={top}" >&2 ;;
esac
"""
VERSION_HEADER = """\
#define TRT_MAJOR_ENTERPRISE {0}
#define NV_TENSORRT_MAJOR TRT_MAJOR_ENTERPRISE //!< TensorRT major version.
#define NV_TENSORRT_MINOR {1}
#define NV_TENSORRT_PATCH {2}
"""
_TOOLS = {"cmake": "cmake version 3.31.2", "ninja": "1.13.2", "c++": "c++ (Distribution 12.2.0-14) 12.2.0"}
_VARIABLES = ("CUDACXX", "CUDA_HOME", "CUDA_PATH", "CXX", "TENSORRT_ROOT", "SEGPP_PLUGIN_LIBRARY", "SEGPP_CACHE")


@dataclass(frozen=True)
class Computer:
    """The folders of a computer below `root`."""

    root: Path

    @property
    def programs(self) -> Path:
        """The one folder on PATH."""
        return self.root / "bin"

    @property
    def site_packages(self) -> Path:
        """Where pip puts packages."""
        return self.root / "site-packages"

    def add_program(self, name: str, says: str) -> Path:
        """A program on PATH that prints one line."""
        return write_script(self.programs / name, f"#!/bin/sh\necho '{says}'\n")

    def add_tools(self, *names: str) -> None:
        """Programs that a build needs, all of them if none is named."""
        for name in names or tuple(_TOOLS):
            self.add_program(name, _TOOLS[name])

    def add_cuda(self, root: Path | None = None, version: str = "13.0.88", architectures: str = "75 80 87 120") -> Path:
        """A CUDA toolkit; by default where JetPack has it."""
        root = root or self.root / "usr/local/cuda"
        text = NVCC.format(release=version.rpartition(".")[0], version=version, architectures=architectures, top=root)
        nvcc = write_script(root / "bin/nvcc", text)
        major, minor, _ = version.split(".")
        write(root / "include/cuda_runtime_api.h", f"#define CUDART_VERSION  {major}0{minor}0\n")
        write(root / "include/nv/target")
        write(root / "lib64/libcudart_static.a")
        return nvcc

    def add_pip_cuda(self) -> Path:
        """pip's wheels of CUDA 13."""
        root = self.site_packages / "nvidia/cu13"
        nvcc = self.add_cuda(root, "13.5.37")
        for part in ("include/crt/host_config.h", "nvvm/bin/cicc", "include/cccl/nv/target"):
            write(root / part)
        return nvcc

    def add_tensorrt(self, folder: Path | None = None, version: tuple[int, int, int] = (10, 14, 1)) -> Path:
        """TensorRT's headers; by default where JetPack has them."""
        folder = folder or self.root / f"usr/include/{platform.machine()}-linux-gnu"
        write(folder / "NvInfer.h")
        write(folder / "NvInferVersion.h", VERSION_HEADER.format(*version))
        return folder


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def write_script(path: Path, text: str) -> Path:
    write(path, text).chmod(0o755)
    return path


@pytest.fixture
def computer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Computer:
    """An empty computer."""
    found = Computer(tmp_path / "computer")
    found.programs.mkdir(parents=True)
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(found.programs))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(cuda_toolkit, "_SYSTEM_ROOT", found.root / "usr/local/cuda")
    monkeypatch.setattr(tensorrt_headers, "_SYSTEM", found.root)
    monkeypatch.setattr(jetson, "_DEVICE_TREE", found.root)
    monkeypatch.setattr(build_tools.sysconfig, "get_path", lambda name: str(found.root / "venv/bin"))

    def find_spec(name: str) -> SimpleNamespace | None:
        folder = found.site_packages / name
        return SimpleNamespace(submodule_search_locations=[str(folder)]) if folder.is_dir() else None

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    return found
