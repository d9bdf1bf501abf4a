"""Where the plugins' sources are, which of them a library is made of, and their hash.

setup.py imports this where nothing but setuptools is installed: it needs the standard library alone.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import segpp_deploy
from segpp_deploy.config import Choice
from segpp_deploy.errors import SegppError

_PACKAGE = Path(segpp_deploy.__file__).parent
_CARRIED = _PACKAGE / "plugin_sources"  # setup.py copies what a build needs there, for the wheel
_BUILD_FILE = "CMakeLists.txt"
_SUFFIXES = frozenset({".h", ".cuh", ".cu", ".cpp", ".cmake", ".map", ".txt"})


class LibraryKind(Choice):
    """What is built: TensorRT's plugins, the kernels alone for any GPU, or both for the CPU, for tests only."""

    CUDA = "cuda"
    KERNELS = "kernels"
    HOST = "host"


# What a GPU loads holds nothing of `testing/`: an edit of the emulator leaves it current.
_ALL = (_BUILD_FILE, "cmake/SegppCommon.cmake", "kernels/**/*", "cuda/**/*")
_PARTS = {
    LibraryKind.CUDA: (*_ALL, "cmake/SegppCuda.cmake", "tensorrt/**/*"),
    LibraryKind.KERNELS: (*_ALL, "cmake/SegppCuda.cmake", "c_api/**/*"),
    LibraryKind.HOST: (*_ALL, "cmake/SegppHost.cmake", "tensorrt/**/*", "c_api/**/*", "testing/emulator/**/*"),
}


def plugin_sources() -> Path:
    """Return the folder of the plugins' sources: `plugins/` of a checkout, or the copy that the wheel carries.

    Raises:
        SegppError: this installation has neither.
    """
    checkout = _PACKAGE.parent
    candidates = [_CARRIED]
    if (checkout / "pyproject.toml").is_file():  # beside an installed package, `plugins` would be someone else's
        candidates.insert(0, checkout / "plugins")
    for folder in candidates:
        if (folder / _BUILD_FILE).is_file():
            return folder
    raise SegppError(
        "This installation of segpp-deploy carries no plugin sources.",
        f"{_CARRIED}, or a checkout of the repository.",
        "pip install --force-reinstall --no-deps segpp-deploy",
    )


def source_files(folder: Path, kind: LibraryKind) -> list[Path]:
    """Return the files that a library is made of, sorted; setup.py carries those of both kinds into the wheel."""
    found = {path for pattern in _PARTS[kind] for path in folder.glob(pattern)}
    return sorted(path for path in found if path.suffix in _SUFFIXES and path.is_file())


def hash_sources(folder: Path, kind: LibraryKind) -> str:
    """Return the hex SHA-256 over the names and contents of the files that a library is made of."""
    digest = hashlib.sha256()
    for path in source_files(folder, kind):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
