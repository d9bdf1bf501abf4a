"""The host build behind its C interface: what is missing or wrong is told.

That it computes what the reference does is what `selftest --host` says, which tests/test_gpu_hour.py runs.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from segpp_deploy.errors import SegppError
from segpp_deploy.ops.token_match import TOKEN_MATCH
from segpp_deploy.plugin_library import host_kernels
from segpp_deploy.plugin_library.host_kernels import HostKernels, open_host_kernels
from tests.plugins.native import build_host


def test_a_refused_call_is_told() -> None:
    kernels = HostKernels(build_host("segpp_host"))
    attributes = {"grid_h": 2, "grid_w": 2, "stride_y": 2, "stride_x": 2, "num_removed": 4}  # one more than there are
    with pytest.raises(SegppError, match="TokenMatch failed with CUDA error 1"):
        kernels.run(TOKEN_MATCH, [np.ones((1, 4, 8), np.float32)], attributes)


def test_a_file_that_is_no_library_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.so").write_text("no library")
    with pytest.raises(SegppError, match="cannot be loaded") as caught:
        HostKernels(tmp_path / "a.so")
    assert caught.value.fix == "segpp-deploy plugins build --host"


def test_half_a_build_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = SimpleNamespace(path=tmp_path / "lib.so", kernels_path=None)
    monkeypatch.setattr(host_kernels, "find_plugin_library", lambda kind: library)
    with pytest.raises(SegppError, match="without the library of its kernels"):
        open_host_kernels()
