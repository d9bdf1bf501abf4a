"""NVIDIA's CUDA 12.4, the newest of JetPack 6's major version that a registry without an account has a compiler of.

pip has no nvcc before CUDA 13. Debian's non-free packages have the one of 12.4, and CUDA's static runtime for aarch64.
They are fetched into a folder, not installed, and laid out as NVIDIA's own packages are, those for cross compiling too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks.recording import ROOT
from segpp_deploy.files import write_text

TOOLKIT = ROOT / "build/debian_cuda/toolkit"

_COMPILER, _LIBRARIES, _HEADERS = "nvidia-cuda-toolkit:amd64", "nvidia-cuda-dev:arm64", "libcu++-dev"
_PROGRAMS = ("bin2c", "cudafe++", "cuobjdump", "fatbinary", "nvlink", "ptxas")
_RUNTIME = ("libcudadevrt.a", "libcudart_static.a")
_OWN = "usr/lib/nvidia-cuda-toolkit"
_PROFILE = """\
TOP = $(_HERE_)/..
NVVMIR_LIBRARY_DIR = $(TOP)/nvvm/libdevice
PATH += $(TOP)/nvvm/bin:$(_HERE_):
INCLUDES += "-I$(TOP)/$(_TARGET_DIR_)/include" $(_SPACE_)
LIBRARIES =+ $(_SPACE_) "-L$(TOP)/$(_TARGET_DIR_)/lib"
"""
_SOURCES = (
    "deb [arch=amd64,arm64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {mirror} {suite} main non-free\n"
)
_MIRROR = "http://deb.debian.org/debian"
_APT = """\
Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
Dir::Etc::sourcelist "{folder}/debian.sources";
Dir::Etc::sourceparts "-";
APT::Sandbox::User "root";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; "arm64"; }};
"""


def make_toolkit() -> Path:
    """Return the folder of the toolkit, as CUDA_HOME names one; it takes a GB to fetch and is kept below build/."""
    if not TOOLKIT.is_dir():
        TOOLKIT.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=TOOLKIT.parent) as name:
            folder = Path(name)
            _fetch(folder)
            _lay_out(folder, folder / "toolkit")
            (folder / "toolkit").rename(TOOLKIT)
    return TOOLKIT


def _fetch(folder: Path) -> None:
    """Leave in `compiler` and `libraries` what the packages hold of interest."""
    for part in ("state/lists/partial", "cache/archives/partial", "compiler", "libraries"):
        (folder / part).mkdir(parents=True)
    write_text(folder / "status", "")
    write_text(folder / "debian.sources", _SOURCES)
    write_text(folder / "apt.conf", _APT.format(folder=folder))
    variables = {**os.environ, "APT_CONFIG": str(folder / "apt.conf")}
    for command in (["update"], ["download", _COMPILER, _LIBRARIES, _HEADERS]):
        subprocess.run(["apt-get", "-qq", *command], cwd=folder, env=variables, check=True)
    for package, into in ((_COMPILER, "compiler"), (_HEADERS, "libraries")):
        subprocess.run(["dpkg-deb", "-x", _package(folder, package), folder / into], check=True)
    wanted = ["./usr/include/*", *(f"*/{name}" for name in _RUNTIME)]  # of some GB
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", _package(folder, _LIBRARIES)], stdout=subprocess.PIPE) as tar:
        unpack = ["tar", "-x", "-C", str(folder / "libraries"), "--wildcards", *wanted]
        subprocess.run(unpack, stdin=tar.stdout, check=True)


def _package(folder: Path, name: str) -> Path:
    (path,) = folder.glob(f"{name.partition(':')[0]}_*.deb")
    return path


def _lay_out(folder: Path, toolkit: Path) -> None:
    compiler, libraries = folder / "compiler", folder / "libraries"
    here, there = (toolkit / "targets" / name for name in ("x86_64-linux", "aarch64-linux"))
    for part in (toolkit / "bin", toolkit / "nvvm/bin", here / "lib", there / "lib"):
        part.mkdir(parents=True)
    for name in _PROGRAMS:
        shutil.move(compiler / "usr/bin" / name, toolkit / "bin" / name)
    for name, place in (("nvcc", "bin"), ("crt", "bin"), ("cicc", "nvvm/bin")):
        shutil.move(compiler / _OWN / "bin" / name, toolkit / place / name)
    write_text(toolkit / "bin/nvcc.profile", _PROFILE)
    shutil.move(compiler / _OWN / "libdevice", toolkit / "nvvm/libdevice")
    shutil.move(libraries / "usr/include", here / "include")
    (there / "include").symlink_to("../x86_64-linux/include")
    (toolkit / "include").symlink_to("targets/x86_64-linux/include")
    for name in _RUNTIME:
        shutil.move(libraries / "usr/lib/aarch64-linux-gnu" / name, there / "lib" / name)
