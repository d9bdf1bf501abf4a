"""ONNX Runtime's C++ headers, which no wheel carries: from a package of npm's, fetched once and unpacked below build/.

Only the headers are kept, and only to compile against; the library is the wheel's.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from tests.plugins.native import REPOSITORY, locked
from tests.support.requirements import skip_or_fail

PACKAGE = "com.github.asus4.onnxruntime@0.4.9"
SHA512 = "BkzxduSZ9IkeDP6Q8lz2TFU2ie7hSSvS7ZIfzMooExoq0CNzJnuuGaUJ7IsojBgqO4ouD1jXah8OYyJbCN29Fg=="
UNPACKED = REPOSITORY / "build/onnxruntime-headers"
_IN_PACKAGE = "package/Plugins/iOS~/onnxruntime.xcframework/ios-arm64/onnxruntime.framework/Headers/"


def require_headers() -> Path:
    """Return the folder of the headers; a test without them skips, or fails where they are required."""
    folder = find_headers()
    if folder is None:
        skip_or_fail("onnxruntime_headers", f"npm pack {PACKAGE} does not bring them here.")
    return folder


@functools.cache
def find_headers() -> Path | None:
    """Return the folder of the headers; None where they cannot be fetched."""
    folder = UNPACKED / PACKAGE.rpartition("@")[2]
    with locked(folder):
        if (folder / "onnxruntime_cxx_api.h").is_file() or _fetch(folder):
            return folder
    return None


def _fetch(folder: Path) -> bool:
    if shutil.which("npm") is None:
        return False
    with tempfile.TemporaryDirectory(dir=UNPACKED) as name:
        command = ["npm", "pack", "--json", "--prefer-offline", PACKAGE]
        done = subprocess.run(command, cwd=name, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return False
        archive, headers = Path(name) / json.loads(done.stdout)[0]["filename"], Path(name) / "headers"
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        assert digest == SHA512, f"{PACKAGE} is another than it was"
        with tarfile.open(archive) as packed:
            for member in packed:
                if member.isfile() and member.name.startswith(_IN_PACKAGE):
                    member.name = member.name.removeprefix(_IN_PACKAGE)
                    packed.extract(member, headers, filter="data")
        shutil.rmtree(folder, ignore_errors=True)
        headers.rename(folder)
    return True
