"""The kernels under AddressSanitizer and UndefinedBehaviorSanitizer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from segpp_deploy.plugin_library.build_tools import find_cxx
from tests.plugins.kernels.conftest import host_library
from tests.plugins.native import REPOSITORY, SANITIZED
from tests.support.requirements import skip_or_fail


@pytest.fixture(scope="module")
def sanitizer() -> str:
    """The runtime library that Python must load before anything else."""
    found = subprocess.run([find_cxx().path, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    path = found.stdout.strip()
    if not Path(path).is_absolute():
        skip_or_fail("libasan", "the compiler has no shared libasan.so (GCC has)")
    return path


def test_kernels_touch_only_what_is_theirs(sanitizer: str) -> None:
    library = host_library(SANITIZED)
    run = subprocess.run(
        [sys.executable, "-m", "tests.plugins.kernels.sanitized_cases", str(library)],
        cwd=REPOSITORY,
        env={**os.environ, "LD_PRELOAD": sanitizer, "ASAN_OPTIONS": "detect_leaks=0:verify_asan_link_order=1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-4000:]
    assert "all results are right" in run.stdout
