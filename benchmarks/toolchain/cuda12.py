"""CUDA 12.6, the version of JetPack 6, put together from pip's wheels, as far as they go: there is no nvcc among them.

* NVRTC 12.6 is NVIDIA's own compiler of that release. It takes device code only, so the host's few library headers
  and the functions of a launch are stood in for.
* clang with the CUDA 12.6 headers, libdevice and ptxas compiles both halves of every source as they are, where a clang
  that knows CUDA is installed.
"""

from __future__ import annotations

import ctypes
import importlib.util
import shutil
import subprocess
from pathlib import Path

from benchmarks.recording import ROOT
from benchmarks.toolchain.kernel_compilation import PLUGINS
from segpp_deploy.files import write_text

ARCHITECTURES = ("75", "80", "86", "87", "89", "90")  # those of ours that CUDA 12.6 knows
CLANGS = tuple(f"clang++-{version}" for version in range(22, 15, -1))

_TREE = ROOT / "build/tests/cuda12"
_FROM_DEVICE_LIBRARY = ("atomic", "cstddef", "cstdint", "limits", "type_traits", "utility")
_STAND_INS = {
    **{
        name: f"#pragma once\n#include <cuda/std/{name}>\nnamespace std {{ using namespace cuda::std; }}\n"
        for name in _FROM_DEVICE_LIBRARY
    },
    **dict.fromkeys(("climits", "cmath", "cstring"), "#pragma once\n"),
    "algorithm": """#pragma once
namespace std {
template <class T> constexpr const T& min(const T& a, const T& b) { return b < a ? b : a; }
template <class T> constexpr const T& max(const T& a, const T& b) { return a < b ? b : a; }
}
""",
}
_PRELUDE = """#include <cuda_runtime_api.h>
#define INFINITY __int_as_float(0x7f800000)
#define NAN __int_as_float(0x7fffffff)
inline cudaError_t cudaDriverGetVersion(int*) { return cudaSuccess; }
template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t*, void (*)(Parameters...), Arguments&&...) {
  return cudaSuccess;
}
"""


class Cuda12Error(Exception):
    """A source is refused; the message is the compiler's."""


def find_wheels() -> Path | None:
    """Return the folder `nvidia` of site-packages if all wheels of CUDA 12.6 are in it."""
    specification = importlib.util.find_spec("nvidia")
    for location in (specification.submodule_search_locations if specification else None) or []:
        folder = Path(location)
        if all((folder / name).is_dir() for name in ("cuda_nvrtc", "cuda_runtime", "cuda_nvcc", "cuda_cccl")):
            return folder
    return None


def compile_with_nvrtc(wheels: Path, source: Path, architecture: str) -> bytes:
    """Compile the device half of a source with NVRTC and return the machine code.

    Raises:
        Cuda12Error: with what NVRTC said.
    """
    stand_ins = _TREE / "stand_ins"
    for name, text in _STAND_INS.items():
        write_text(stand_ins / name, text)
    includes = (stand_ins, wheels / "cuda_runtime/include", wheels / "cuda_cccl/include", PLUGINS)
    options = [
        f"--gpu-architecture=sm_{architecture}",
        "-std=c++17",
        "-default-device",
        "-rdc=true",
        *(f"-I{folder}" for folder in includes),
    ]
    text = f'{_PRELUDE}#include "{source.relative_to(PLUGINS)}"\n'
    return _Nvrtc(wheels).compile(text, options)


def nvrtc_version(wheels: Path) -> str:
    """Return such as "12.6"."""
    return _Nvrtc(wheels).version()


def find_clang() -> str | None:
    """Return the newest installed clang of those that have a version in their name."""
    return next((name for name in CLANGS if shutil.which(name)), None)


def compile_with_clang(clang: str, wheels: Path, source: Path, architecture: str) -> str:
    """Compile both halves of a source and return the report of CUDA 12.6's ptxas.

    Raises:
        Cuda12Error: with what the compilers said.
    """
    toolkit = _make_toolkit(wheels)
    settings = ["-x", "cuda", f"--cuda-path={toolkit}", f"--cuda-gpu-arch=sm_{architecture}", "-std=c++17", "-O3"]
    # Its own note that 12.6 is newer than what it was tested with is no warning about the code.
    settings += ["-Wall", "-Wextra", "-Werror", "-Wno-unknown-cuda-version"]
    device = ["--cuda-device-only", "-Xcuda-ptxas", "-v", "-c", "-o", str(_TREE / f"{source.stem}.cubin")]
    report = _run([clang, *settings, *device, str(source)])
    _run([clang, *settings, "--cuda-host-only", "-fsyntax-only", str(source)])
    return report


def _make_toolkit(wheels: Path) -> Path:
    """Lay the wheels out as the toolkit that clang looks for, and return its folder."""
    folder = _TREE / "toolkit"
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    for part in ("cuda_runtime", "cuda_nvcc", "cuda_cccl"):
        shutil.copytree(wheels / part / "include", folder / "include", dirs_exist_ok=True)
    shutil.copytree(wheels / "cuda_nvcc/nvvm/libdevice", folder / "nvvm/libdevice", dirs_exist_ok=True)
    shutil.copy2(wheels / "cuda_nvcc/bin/ptxas", folder / "bin/ptxas")
    (folder / "bin/ptxas").chmod(0o755)
    # clang includes it for the types of threadIdx; the kernels use no random numbers.
    write_text(folder / "include/curand_mtgp32_kernel.h", "")
    return folder


def _run(command: list[str]) -> str:
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise Cuda12Error(ended.stdout + ended.stderr)
    return ended.stdout + ended.stderr


class _Nvrtc:
    """The few functions of NVRTC's C interface that a compilation takes."""

    def __init__(self, wheels: Path) -> None:
        self._library = ctypes.CDLL(str(wheels / "cuda_nvrtc/lib/libnvrtc.so.12"))

    def version(self) -> str:
        major, minor = ctypes.c_int(), ctypes.c_int()
        self._library.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
        return f"{major.value}.{minor.value}"

    def compile(self, text: str, options: list[str]) -> bytes:
        program = ctypes.c_void_p()
        code = self._library.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"device.cu", 0, None, None)
        if code != 0:
            raise Cuda12Error(f"nvrtcCreateProgram gives {code}")
        try:
            words = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
            if self._library.nvrtcCompileProgram(program, len(options), words) != 0:
                raise Cuda12Error(self._read(program, "ProgramLog").decode(errors="replace"))
            return self._read(program, "CUBIN")
        finally:
            self._library.nvrtcDestroyProgram(ctypes.byref(program))

    def _read(self, program: ctypes.c_void_p, what: str) -> bytes:
        size = ctypes.c_size_t()
        getattr(self._library, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        getattr(self._library, f"nvrtcGet{what}")(program, buffer)
        return buffer.raw
