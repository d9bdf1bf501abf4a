"""Which program this is, and which versions of other people's packages are installed; nothing of them is imported.

setup.py imports this where nothing but setuptools is installed: it needs the standard library alone.
"""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
COMMIT_NAME = "COMMIT"
"""The file in an installed package, and in a source distribution's, that holds the commit; setup.py writes it."""

_GIT_TIMEOUT_S = 5
# what reports call it -> names of the distributions that provide it
_PACKAGES = {
    "numpy": ("numpy",),
    "torch": ("torch",),
    "onnx": ("onnx",),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "openvino": ("openvino",),
    "tensorrt": ("tensorrt", "tensorrt-cu13", "tensorrt-cu12"),
    "tensorrt_rtx": ("tensorrt-rtx-cu13", "tensorrt-rtx-cu12", "tensorrt-rtx"),
    "opencv": ("opencv-python", "opencv-python-headless"),
}


def find_commit() -> str | None:
    """Return the commit that this code is of, "-dirty" behind it where the checkout was changed; None if unknown.

    It was recorded when the package was built; in a checkout git is asked.
    """
    recorded = _PACKAGE / COMMIT_NAME
    if recorded.is_file():
        return recorded.read_text(encoding="utf-8").strip()
    checkout = _PACKAGE.parent
    if not ((checkout / "pyproject.toml").is_file() and (checkout / ".git").exists()):
        return None  # beside an installed package, the repository would be someone else's
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def describe_python() -> str:
    """Return the interpreter and its version, such as "CPython 3.12.1"."""
    return f"{platform.python_implementation()} {platform.python_version()}"


def installed_packages() -> dict[str, str]:
    """Return the versions of those packages that matter here, by the name that reports use; only what is installed."""
    versions = {}
    for name, distributions in _PACKAGES.items():
        for distribution in distributions:
            try:
                versions[name] = metadata.version(distribution)
                break
            except metadata.PackageNotFoundError:
                continue
    return versions
