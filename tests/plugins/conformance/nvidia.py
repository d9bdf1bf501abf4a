"""NVIDIA's library for the conformance tests, fetched once and unpacked below build/."""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from segpp_deploy.plugin_library.tensorrt_headers import HEADERS_WHEEL, pip_include_folders
from tests.plugins.native import REPOSITORY, locked
from tests.support.requirements import skip_or_fail

REQUIREMENTS = REPOSITORY / "constraints" / "conformance.txt"
UNPACKED = REPOSITORY / "build" / "conformance"


def require_nvidia_library() -> Path:
    """Return TensorRT-RTX's library with the ABI of pip's TensorRT headers.

    A test without them skips, or fails where they are required.
    """
    if not pip_include_folders():
        skip_or_fail("conformance_wheels", f"no headers: pip install --no-deps {HEADERS_WHEEL}")
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        skip_or_fail("conformance_wheels", "TensorRT-RTX has wheels for x86-64 Linux only")
    folder = UNPACKED / hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    with locked(folder):
        if not (folder / "complete").is_file():
            _fetch(folder)
    return folder / "tensorrt_rtx_libs/libtensorrt_rtx.so.1"


def _fetch(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as downloads:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--require-hashes", "--only-binary", ":all:", "-r", str(REQUIREMENTS), "-d", downloads]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            hint = f"Try it by hand: {' '.join(command)}"
            skip_or_fail("conformance_wheels", f"{REQUIREMENTS.name} cannot be fetched. {hint}\n{done.stdout}")
        shutil.rmtree(folder, ignore_errors=True)
        for wheel in Path(downloads).glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder)
    (folder / "complete").touch()
