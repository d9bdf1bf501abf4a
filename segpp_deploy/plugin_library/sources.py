"""Where the plugins' sources are, and their hash."""

from __future__ import annotations

import hashlib
from pathlib import Path

import segpp_deploy
from segpp_deploy.config import Choice
from segpp_deploy.errors import SegppError

_PACKAGE = Path(segpp_deploy.__file__).parent
_CARRIED = _PACKAGE / "plugin_sources"  # setup.py copies plugins/ there for the wheel
_BUILD_FILE = "CMakeLists.txt"
_SUFFIXES = frozenset({".h", ".cuh", ".cu", ".cpp", ".cmake", ".map", ".txt"})


class LibraryKind(Choice):
    """What is built: the product for GPUs, or the same kernels for the CPU, for tests only."""

    CUDA = "cuda"
    HOST = "host"


_FOLDERS = {
    LibraryKind.CUDA: ("cmake", "kernels", "simt", "tensorrt"),
    LibraryKind.HOST: ("cmake", "kernels", "simt", "tensorrt", "host"),
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


def hash_sources(folder: Path, kind: LibraryKind) -> str:
    """Return the hex SHA-256 over the names and contents of the files that a library is made of."""
    digest = hashlib.sha256()
    files = [folder / _BUILD_FILE]
    for name in _FOLDERS[kind]:
        files += [path for path in (folder / name).rglob("*") if path.suffix in _SUFFIXES and path.is_file()]
    for path in sorted(files):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
