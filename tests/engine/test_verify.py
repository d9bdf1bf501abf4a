from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from segpp_deploy.engine.build import BuildResult
from segpp_deploy.engine.manifest import dump_manifest, manifest_path
from segpp_deploy.engine.target import RuntimeFacts, TargetName
from segpp_deploy.engine.verify import _check_runtime, verify_engine
from segpp_deploy.errors import SegppError


def test_a_fresh_engine_passes_and_may_move(built: BuildResult, tmp_path: Path) -> None:
    assert verify_engine(built.path) == built.manifest
    moved = tmp_path / "elsewhere" / "renamed.onnx"
    moved.parent.mkdir()
    shutil.copy(built.path, moved)
    shutil.copy(built.manifest_path, manifest_path(moved))
    assert verify_engine(moved) == built.manifest


def test_truncated_and_edited_engines(built: BuildResult) -> None:
    whole = built.path.read_bytes()
    built.path.write_bytes(whole[:-7])
    with pytest.raises(SegppError, match=f"it has {len(whole) - 7} bytes") as caught:
        verify_engine(built.path)
    assert f"build-engine {built.manifest.source} --target cpu -o {built.path}" in caught.value.fix
    built.path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(SegppError, match="it was changed"):
        verify_engine(built.path)


def record(built: BuildResult, **changes: Any) -> None:
    runtime = replace(built.manifest.runtime, **changes)
    manifest = built.manifest.model_copy(update={"runtime": runtime})
    built.manifest_path.write_text(dump_manifest(manifest))


def test_another_runtime_version(built: BuildResult) -> None:
    present = built.manifest.runtime.version
    record(built, version="1.0.0")
    with pytest.raises(SegppError, match=f"version 1.0.0, here {present}") as caught:
        verify_engine(built.path)
    assert "onnxruntime 1.0.0" in caught.value.expected
    assert f"segpp-deploy build-engine {built.manifest.source} --target cpu -o {built.path}" in caught.value.fix


def test_another_driver_is_no_obstacle_but_another_gpu_is(built: BuildResult) -> None:
    facts = RuntimeFacts("tensorrt", "11.4", "13.2", "580.1", "8.9")
    manifest = built.manifest.model_copy(update={"runtime": facts})
    _check_runtime(built.path, manifest, replace(facts, driver="590.2"))
    with pytest.raises(SegppError, match=r"compute capability 8\.9, here 12\.0"):
        _check_runtime(built.path, manifest, replace(facts, compute_capability="12.0"))


def test_an_engine_whose_target_is_not_there(built: BuildResult) -> None:
    manifest = built.manifest.model_copy(update={"target": TargetName.TENSORRT})
    built.manifest_path.write_text(dump_manifest(manifest))
    with pytest.raises(SegppError, match="tensorrt is not available"):
        verify_engine(built.path)
