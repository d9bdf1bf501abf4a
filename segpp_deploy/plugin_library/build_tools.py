"""Find cmake, ninja and the host's C++ compiler."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from segpp_deploy.plugin_library.missing import PLUGINS_EXTRA, MissingToolError

_OLDEST_CMAKE = (3, 22)
_TIMEOUT_S = 60
_COMPILERS = ("c++", "g++", "clang++")


@dataclass(frozen=True)
class Program:
    """A program and the version it says."""

    path: Path
    version: str


def find_cmake() -> Program:
    """Return cmake 3.22 or newer.

    Raises:
        MissingToolError: there is none.
    """
    looked_in = "cmake 3.22 or newer on PATH or from pip."
    for path in _programs("cmake"):
        version = _ask_version(path)
        if version is None:
            continue
        if tuple(int(part) for part in version.split(".")[:2]) >= _OLDEST_CMAKE:
            return Program(path, version)
        looked_in = f"cmake 3.22 or newer; {path} is {version}."
    raise MissingToolError("cmake", looked_in, PLUGINS_EXTRA)


def find_ninja() -> Program:
    """Return ninja.

    Raises:
        MissingToolError: there is none.
    """
    for path in _programs("ninja"):
        version = _ask_version(path)
        if version is not None:
            return Program(path, version)
    raise MissingToolError("ninja", "ninja on PATH or from pip.", PLUGINS_EXTRA)


def find_cross_cxx(name: str) -> Program:
    """Return a compiler for another processor, such as aarch64-linux-gnu-g++.

    Raises:
        MissingToolError: it is not on PATH.
    """
    path = shutil.which(name)
    version = _ask_version(Path(path)) if path else None
    if path is None or version is None:
        package = "g++-" + name.removesuffix("-g++")
        raise MissingToolError("a C++ cross compiler", f"{name} on PATH.", f"sudo apt install {package}")
    return Program(Path(path), version)


def find_cxx() -> Program:
    """Return the C++ compiler: the one in the environment variable CXX, else the first on PATH.

    Raises:
        MissingToolError: there is none.
    """
    chosen = os.environ.get("CXX")
    for name in (chosen,) if chosen else _COMPILERS:
        path = shutil.which(name)
        version = _ask_version(Path(path)) if path else None
        if path and version is not None:
            return Program(Path(path), version)
    where = f"CXX={chosen}, which does not run." if chosen else f"one of {', '.join(_COMPILERS)} on PATH."
    raise MissingToolError("a C++ compiler", where, "sudo apt install g++")


def _programs(name: str) -> list[Path]:
    """Return where a program may be: on PATH, and where pip put it, which an environment not activated leaves off."""
    found = shutil.which(name)
    beside_python = Path(sysconfig.get_path("scripts")) / name
    return [Path(path) for path in (found, beside_python) if path and Path(path).is_file()]


def _ask_version(program: Path) -> str | None:
    try:
        answer = subprocess.run(
            [program, "--version"], capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"\d+(?:\.\d+)+", answer.stdout)
    return match[0] if match else None
