"""Wheels that tests look into and nobody installs: fetched once by hash and unpacked below build/."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tests.plugins.native import REPOSITORY, locked
from tests.support.requirements import skip_or_fail

CONSTRAINTS = REPOSITORY / "constraints"


def unpack_wheels(requirements: Path, name: str, *options: str) -> Path:
    """Return the folder in which the wheels of a requirements file lie unpacked.

    Args:
        requirements: versions and hashes.
        name: what of `tests.support.requirements` is missing where they cannot be fetched.
        options: of `pip download`, such as another platform than this one.
    """
    folder = REPOSITORY / "build" / requirements.stem / hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    with locked(folder):
        if not (folder / "complete").is_file():
            _fetch(requirements, folder, name, options)
    return folder


def _fetch(requirements: Path, folder: Path, name: str, options: tuple[str, ...]) -> None:
    with tempfile.TemporaryDirectory() as downloads:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--require-hashes", "--only-binary", ":all:", "-r", str(requirements), "-d", downloads, *options]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            hint = f"Try it by hand: {' '.join(command)}"
            skip_or_fail(name, f"{requirements.name} cannot be fetched. {hint}\n{done.stdout}")
        shutil.rmtree(folder, ignore_errors=True)
        for wheel in Path(downloads).glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder)
    (folder / "complete").touch()
