"""Find the TensorRT C++ headers: a named folder, the system (JetPack too), or a pip package that carries them."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from segpp_deploy import commands
from segpp_deploy.errors import SegppError
from segpp_deploy.plugin_library.missing import MissingToolError

ROOT_VARIABLE = "TENSORRT_ROOT"
HEADERS_PACKAGE = "kernel_lens"  # carries the headers of TensorRT 10.14; none of its own code is used
HEADERS_WHEEL = "kernel-lens==2.0.1"
OLDEST = (10, 3)

_MOST_DIGITS = 9  # Python refuses to read a number of thousands
_HEADER = "NvInfer.h"
_VERSION_HEADER = "NvInferVersion.h"
_SYSTEM = Path("/")
_FIX = (
    "Name a TensorRT you have with "
    + commands.option("tensorrt-root", "DIR")
    + "; else: sudo apt install libnvinfer-headers-dev (NVIDIA's "
    + f"repository, JetPack), or pip install --no-deps {HEADERS_WHEEL} (it carries the headers)"
)


@dataclass(frozen=True)
class TensorRTHeaders:
    """The folder that holds NvInfer.h, the version in it, such as "10.14.1", and where it was found."""

    include_dir: Path
    version: str
    origin: str

    def __str__(self) -> str:
        return f"{self.version} ({self.origin}: {self.include_dir})"


def find_tensorrt_headers(root: Path | None = None, machine: str | None = None) -> TensorRTHeaders:
    """Return the TensorRT headers; a folder that the user named is the only one looked at.

    Args:
        root: of a TensorRT, or its include folder; None = TENSORRT_ROOT, the system, pip.
        machine: the processor to compile for, by whose name systems have a folder; None = this one.

    Raises:
        MissingToolError: there are none.
        SegppError: they are older than TensorRT 10.3, or the named folder has none.
    """
    machine = machine or platform.machine()
    named = root or (Path(os.environ[ROOT_VARIABLE]) if os.environ.get(ROOT_VARIABLE) else None)
    if named is not None:
        origin = commands.option("tensorrt-root") if root else ROOT_VARIABLE
        for folder in _include_folders(named, machine):
            if (folder / _HEADER).is_file():
                return _describe(folder, origin)
        raise SegppError(f"No {_HEADER} in {named} ({origin}).", "the folder in which TensorRT lies unpacked.", _FIX)
    for folder, origin in _candidates(machine):
        if (folder / _HEADER).is_file():
            return _describe(folder, origin)
    asked = commands.option("tensorrt-root")
    looked_in = f"{_HEADER} below {asked}, {ROOT_VARIABLE}, /usr/include or /usr/local, or from pip."
    raise MissingToolError("the TensorRT headers", looked_in, _FIX)


def pip_include_folders() -> list[Path]:
    """Return where pip put headers, in an environment that has them."""
    specification = importlib.util.find_spec(HEADERS_PACKAGE)
    locations = (specification.submodule_search_locations if specification else None) or []
    return [Path(location) / "include/tensorrt" for location in locations]


def parse_version(header: str) -> tuple[int, int, int] | None:
    """Read the version from the text of NvInferVersion.h; None if it has none.

    Example:
        >>> parse_version("#define TRT_MAJOR 10\\n#define NV_TENSORRT_MAJOR TRT_MAJOR //!< Major.\\n"
        ...               "#define NV_TENSORRT_MINOR 3\\n#define NV_TENSORRT_PATCH 0")
        (10, 3, 0)
    """
    values: dict[str, str] = dict(re.findall(r"^\s*#define\s+(\w+)\s+(\w+)", header, re.MULTILINE))
    numbers = []
    for part in ("MAJOR", "MINOR", "PATCH"):
        value = values.get(f"NV_TENSORRT_{part}", "")
        value = values.get(value, value)  # since 10.13 it names another macro
        if not value.isdecimal() or len(value) > _MOST_DIGITS:
            return None
        numbers.append(int(value))
    return numbers[0], numbers[1], numbers[2]


def _candidates(machine: str) -> Iterator[tuple[Path, str]]:
    for prefix in (_SYSTEM / "usr", _SYSTEM / "usr/local", *sorted(_SYSTEM.glob("usr/local/TensorRT*"), reverse=True)):
        yield from ((folder, "system") for folder in _include_folders(prefix, machine))
    yield from ((folder, "pip") for folder in pip_include_folders())


def _include_folders(root: Path, machine: str) -> list[Path]:
    include = root / "include"
    return [include / f"{machine}-linux-gnu", include, root]


def _describe(folder: Path, origin: str) -> TensorRTHeaders:
    header = folder / _VERSION_HEADER
    version = parse_version(header.read_text(encoding="utf-8", errors="replace")) if header.is_file() else None
    if version is None:
        raise SegppError(f"{header} does not say which TensorRT {folder} is.", "the headers of TensorRT.", _FIX)
    text = ".".join(map(str, version))
    if version[:2] < OLDEST:
        raise SegppError(f"The TensorRT headers in {folder} are {text}.", "TensorRT 10.3 or newer.", _FIX)
    return TensorRTHeaders(folder, text, origin)
