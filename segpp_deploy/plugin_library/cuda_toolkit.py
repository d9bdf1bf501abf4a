"""Find nvcc and the CUDA headers: a toolkit, JetPack, or pip's wheels."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from segpp_deploy import commands
from segpp_deploy.errors import SegppError, one_line
from segpp_deploy.plugin_library.architectures import require_supported
from segpp_deploy.plugin_library.missing import PLUGINS_EXTRA, MissingToolError

STATIC_RUNTIME = "libcudart_static.a"

_SYSTEM_ROOT = Path("/usr/local/cuda")
_HEADER = "cuda_runtime_api.h"
_TIMEOUT_S = 60
# What a working nvcc from pip consists of, and the wheel that holds it.
_WHEELS = {
    "bin/nvcc": "nvidia-cuda-nvcc",
    f"include/{_HEADER}": "nvidia-cuda-runtime",
    "include/crt/host_config.h": "nvidia-cuda-crt",
    "nvvm/bin/cicc": "nvidia-nvvm",
    "include/cccl/nv/target": "nvidia-cuda-cccl",
}
# Until CUDA 12, pip's wheels hold headers in folders of their own, and no nvcc.
_OLD_WHEEL_HEADERS = ("cuda_runtime/include", "cuda_nvcc/include", "cuda_cccl/include")


@dataclass(frozen=True)
class CudaToolkit:
    """A CUDA compiler with what it needs.

    Args:
        nvcc: the compiler.
        root: the folder that it and all of the toolkit lie in.
        version: such as "13.5.37".
        include_dirs: headers for host compilers.
        architectures: what it compiles for, such as "87".
        origin: where it was found, for people.
    """

    nvcc: Path
    root: Path
    version: str
    include_dirs: tuple[Path, ...]
    architectures: tuple[str, ...]
    origin: str

    def __str__(self) -> str:
        return f"nvcc {self.version} ({self.origin}: {self.nvcc})"


@dataclass(frozen=True)
class CudaHeaders:
    """The CUDA headers alone: enough for the host build."""

    include_dirs: tuple[Path, ...]
    version: str


def find_cuda_toolkit(wanted: Sequence[str] = (), newest_major: int | None = None) -> CudaToolkit:
    """Return the first CUDA toolkit that compiles for the wanted architectures.

    Looked at in this order: the environment variables CUDACXX, CUDA_HOME and CUDA_PATH, PATH, /usr/local/cuda (where
    JetPack has it), and pip's wheels.

    Args:
        wanted: such as ("87",).
        newest_major: the newest major version that the driver runs; None = any.

    Raises:
        MissingToolError: there is none that works.
        SegppError: there is one, but not for these architectures or this driver.
    """
    problems: list[str] = []
    unfit: SegppError | None = None
    for nvcc, origin in _candidates():
        try:
            toolkit = inspect_toolkit(nvcc, origin)
        except _UnusableError as error:
            problems.append(f"{nvcc}: {error}.")
            continue
        try:
            require_supported(wanted, toolkit.architectures, str(toolkit))
            _require_driver(toolkit, newest_major)
        except SegppError as error:
            unfit = unfit or error
            continue
        return toolkit
    if unfit is not None:
        raise unfit
    looked_in = "CUDACXX, CUDA_HOME, PATH, /usr/local/cuda or pip's nvidia-cuda-nvcc."
    raise MissingToolError("nvcc (CUDA's compiler)", " ".join([f"a working nvcc in {looked_in}", *problems]), _fix())


def find_cuda_headers() -> CudaHeaders:
    """Return the CUDA headers for the host build, with or without an nvcc beside them.

    Raises:
        MissingToolError: there are none.
    """
    roots = [root for root, _origin in _roots()]
    candidates = [_include_dirs(root) for root in roots]
    candidates += [tuple(folder / part for part in _OLD_WHEEL_HEADERS) for folder in _pip_nvidia_folders()]
    for folders in candidates:
        present = tuple(folder for folder in folders if folder.is_dir())
        if present and (present[0] / _HEADER).is_file() and _has_target_header(present):
            return CudaHeaders(present, _header_version(present[0] / _HEADER))
    raise MissingToolError(
        "the CUDA headers", "cuda_runtime_api.h and nv/target of a CUDA toolkit or of pip's wheels.", PLUGINS_EXTRA
    )


def inspect_toolkit(nvcc: Path, origin: str) -> CudaToolkit:
    """Ask an nvcc what it is.

    Raises:
        _UnusableError: it does not run, or parts of its toolkit are missing.
    """
    match = re.search(r"V(\d+\.\d+\.\d+)", _ask(nvcc, "--version"))
    if match is None:
        raise _UnusableError("it does not say its version")
    root = _root_of(nvcc)
    include_dirs = _include_dirs(root)
    if not include_dirs:
        raise _UnusableError(f"the header {_HEADER} is not in {root / 'include'}")
    if not any((folder / STATIC_RUNTIME).is_file() for folder in _library_folders(root)):
        raise _UnusableError(f"{STATIC_RUNTIME} is not in {root}")
    architectures = tuple(re.findall(r"compute_(\d+)\b", _ask(nvcc, "--list-gpu-arch")))
    return CudaToolkit(nvcc, root, match[1], include_dirs, architectures, origin)


class _UnusableError(Exception):
    """Why an nvcc that was found is of no use."""


def _fix() -> str:
    return f"{PLUGINS_EXTRA}; on a Jetson: sudo apt install cuda-toolkit (part of JetPack)"


def _candidates() -> Iterator[tuple[Path, str]]:
    """Yield each nvcc once, with where it was found."""
    seen: set[Path] = set()
    compiler = os.environ.get("CUDACXX")
    named = [(Path(shutil.which(compiler) or compiler), "CUDACXX")] if compiler else []
    on_path = shutil.which("nvcc")
    from_path = [(Path(on_path), "PATH")] if on_path else []
    by_root = [(root / "bin/nvcc", origin) for root, origin in _roots()]
    environment = [item for item in by_root if item[1].startswith("CUDA_")]
    others = [item for item in by_root if item not in environment]
    for nvcc, origin in [*named, *environment, *from_path, *others]:
        if nvcc.exists() and nvcc.resolve() not in seen:
            seen.add(nvcc.resolve())
            yield nvcc, origin


def _roots() -> list[tuple[Path, str]]:
    roots = [(Path(os.environ[name]), name) for name in ("CUDA_HOME", "CUDA_PATH") if os.environ.get(name)]
    roots.append((_SYSTEM_ROOT, "system"))
    return [*roots, *((root, "pip") for root in pip_cuda_roots())]


def pip_cuda_roots() -> list[Path]:
    """Return the folders in which pip's CUDA wheels (13 and later) lie, the newest first."""
    found = [folder for parent in _pip_nvidia_folders() for folder in parent.glob("cu[0-9]*")]
    return sorted(found, key=lambda folder: int(re.sub(r"\D", "", folder.name) or 0), reverse=True)


def _pip_nvidia_folders() -> list[Path]:
    specification = importlib.util.find_spec("nvidia")  # a namespace that many wheels share; nothing is imported
    locations = (specification.submodule_search_locations if specification else None) or []
    return [Path(location) for location in locations]


def _root_of(nvcc: Path) -> Path:
    root = nvcc.resolve().parent.parent
    if root in [folder.resolve() for folder in pip_cuda_roots()]:
        lacking = [wheel for part, wheel in _WHEELS.items() if not (root / part).exists()]
        if lacking:
            raise _UnusableError(f"parts of it are missing, pip install {' '.join(lacking)}")
    if (root / "include" / _HEADER).is_file():
        return root
    match = re.search(r"^#\$ TOP=(.+)$", _ask(nvcc, "--dryrun", "-x", "cu", "-E", os.devnull), re.MULTILINE)
    return Path(match[1]).resolve() if match else root  # a script that calls the real one


def _include_dirs(root: Path) -> tuple[Path, ...]:
    for folder in [root / "include", *sorted(root.glob("targets/*-linux/include"))]:
        if (folder / _HEADER).is_file():
            return (folder, folder / "cccl") if (folder / "cccl").is_dir() else (folder,)
    return ()


def _has_target_header(folders: Sequence[Path]) -> bool:
    return any((folder / "nv/target").is_file() for folder in folders)


def _library_folders(root: Path) -> list[Path]:
    folders = [root / "lib64", root / "lib", *root.glob("targets/*-linux/lib")]
    return folders if root != Path("/usr") else [*folders, *root.glob("lib/*-linux-gnu")]


def _header_version(header: Path) -> str:
    match = re.search(r"#define\s+CUDART_VERSION\s+(\d{1,9})\b", header.read_text(encoding="utf-8", errors="replace"))
    number = int(match[1]) if match else 0
    return f"{number // 1000}.{number % 1000 // 10}"


def _require_driver(toolkit: CudaToolkit, newest_major: int | None) -> None:
    major = int(toolkit.version.split(".")[0])
    if newest_major is not None and major > newest_major:
        raise SegppError(
            f"This machine's driver runs CUDA {newest_major}, and the only compiler here is {toolkit}: "
            "a library built with it would not start.",
            f"nvcc of CUDA {newest_major}, or a newer driver.",
            f"Install the CUDA {newest_major} toolkit and set CUDA_HOME, or update the driver; to build for another "
            "machine, name " + commands.option("arch") + ".",
        )


def _ask(nvcc: Path, *arguments: str) -> str:
    try:
        answer = subprocess.run(
            [nvcc, *arguments], capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise _UnusableError(f"it does not run ({one_line(error)})") from error
    if answer.returncode != 0:
        raise _UnusableError(f"it ends with code {answer.returncode} when asked {arguments[0]}")
    return answer.stdout + answer.stderr
