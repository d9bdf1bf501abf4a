"""Compile the kernels for a GPU architecture with pip's CUDA, and read what came out: resources and instructions."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.recording import ROOT
from benchmarks.toolchain.tool import run_tool
from segpp_deploy.files import atomic_path, write_text
from segpp_deploy.plugin_library.architectures import ARCHITECTURES
from segpp_deploy.plugin_library.cuda_toolkit import CudaToolkit, inspect_toolkit, pip_cuda_roots

PLUGINS = ROOT / "plugins"
KEPT = ROOT / "build/tests/cubins"
FLAGS = ("-O3", "-std=c++17", "-Werror=all-warnings", "-Xptxas=-v")
_PARALLEL = 2

_KERNEL = re.compile(r"Compiling entry function '(\S+)' for 'sm_\d+'")
_MEMORY = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
_USED = re.compile(r"Used (\d+) registers(?:.*?(\d+) bytes smem)?")
_FUNCTION = re.compile(r"^\s*Function : (\S+)", re.MULTILINE)
_WAIT = "ACQBULK"  # griddepcontrol.wait
_GLOBAL = frozenset({"LD", "LDG", "LDGSTS", "ST", "STG", "ATOM", "ATOMG", "RED", "REDG"})
_OPCODE = re.compile(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]*)")


@dataclass(frozen=True)
class Compiled:
    """One source compiled for one architecture; `log` is what the compiler said."""

    source: str
    architecture: str
    cubin: Path
    log: str


@dataclass(frozen=True)
class Resources:
    """What one kernel takes of the device, as ptxas reports it."""

    kernel: str
    registers: int
    shared_bytes: int
    stack_bytes: int
    spill_store_bytes: int
    spill_load_bytes: int


class KernelCompileError(Exception):
    """nvcc refused a kernel; the message is its own."""


def find_pip_toolkit() -> CudaToolkit | None:
    """Return the CUDA that pip installed here, whatever else the machine has."""
    for root in pip_cuda_roots():
        if (root / "bin/nvcc").is_file():
            return inspect_toolkit(root / "bin/nvcc", "pip")
    return None


def kernel_sources() -> list[Path]:
    """Return the files that hold kernels."""
    return sorted((PLUGINS / "kernels").glob("*.cu"))


def compile_all(toolkit: CudaToolkit, architectures: Iterable[str] = ARCHITECTURES) -> list[Compiled]:
    """Compile every source for every architecture; what was compiled before from the same files is taken as it is."""
    jobs = [(source, architecture) for source in kernel_sources() for architecture in architectures]
    with ThreadPoolExecutor(_PARALLEL) as pool:
        return list(pool.map(lambda job: compile_kernel(toolkit, *job), jobs))


def compile_kernel(toolkit: CudaToolkit, source: Path, architecture: str) -> Compiled:
    """Compile one source for one architecture.

    Raises:
        KernelCompileError: with what nvcc said.
    """
    key = f"{source.stem}-sm_{architecture}-{content_key(toolkit.version, source)}"
    cubin, log = KEPT / f"{key}.cubin", KEPT / f"{key}.log"
    if not (cubin.is_file() and log.is_file()):
        with atomic_path(cubin) as temporary:
            command = [toolkit.nvcc, "-cubin", f"-arch=sm_{architecture}", *FLAGS, "-o", temporary, source]
            ended = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
            if ended.returncode != 0:
                raise KernelCompileError(f"{source.name} for sm_{architecture}:\n{ended.stderr}")
            write_text(log, ended.stdout + ended.stderr)
    return Compiled(source.name, architecture, cubin, log.read_text(encoding="utf-8"))


def read_resources(log: str) -> list[Resources]:
    """Read the report of `ptxas -v`; kernels have their C++ names without parameters."""
    found = []
    kernel, memory = "", (0, 0, 0)
    for line in log.splitlines():
        if match := _KERNEL.search(line):
            kernel = match[1]
        elif match := _MEMORY.search(line):
            memory = (int(match[1]), int(match[2]), int(match[3]))
        elif kernel and (match := _USED.search(line)):
            found.append(Resources(short_name(kernel), int(match[1]), int(match[2] or 0), *memory))
            kernel = ""
    return sorted(found, key=lambda resources: resources.kernel)


def read_instructions(toolkit: CudaToolkit, cubin: Path) -> dict[str, list[str]]:
    """Return for each kernel its machine instructions in their order, such as LDG.E.128."""
    folder = toolkit.nvcc.parent
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"}
    text = run_tool([folder / "cuobjdump", "-sass", cubin], variables=environment)
    parts = _FUNCTION.split(text)[1:]
    return {short_name(name): _OPCODE.findall(body) for name, body in zip(parts[::2], parts[1::2], strict=True)}


def count(instructions: Iterable[str], *words: str) -> int:
    """Count the instructions that contain every one of the dotted words.

    Example:
        >>> count(["LDG.E.128.SYS", "LDG.E", "LDG.E.128.SYS"], "LDG", "128")
        2
    """
    return sum(set(words) <= set(name.split(".")) for name in instructions)


def count_unordered(instructions: Sequence[str]) -> int:
    """Count what a wait for earlier launches does not order: accesses to memory before it, loads of constant data.

    Example:
        >>> count_unordered(["LDG.E", "ACQBULK", "LDG.E", "LDG.E.CONSTANT", "STG.E"])
        2
    """
    wait = instructions.index(_WAIT) if _WAIT in instructions else len(instructions)
    early = sum(name.partition(".")[0] in _GLOBAL for name in instructions[:wait])
    return early + count(instructions[wait:], "LDG", "CONSTANT")


def short_name(mangled: str) -> str:
    """Return a kernel's name with its template arguments, without namespaces, return type and parameters.

    Example:
        >>> short_name("_ZN5segpp6kernelI6__halfEEvPT_")
        'kernel<__half>'
    """
    full = run_tool(["c++filt", mangled]).strip()
    full = re.sub(r"\(anonymous namespace\)::|\b(?:segpp|detail|simt)::", "", full)
    return re.sub(r"^void ", "", full.rpartition("(")[0] or full)


def content_key(nvcc: str, source: Path) -> str:
    """Return what changes with the version of nvcc, its flags, a source and the headers: the rest of a compilation."""
    digest = hashlib.sha256("\0".join((nvcc, *FLAGS)).encode())
    headers = [
        path for name in ("kernels", "cuda") for suffix in ("h", "cuh") for path in (PLUGINS / name).glob(f"*.{suffix}")
    ]
    for path in (source, *sorted(headers)):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
