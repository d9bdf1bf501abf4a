from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from segpp_deploy.engine.manifest import dump_manifest, manifest_path
from segpp_deploy.engine.open import check_runtime, verify_engine
from segpp_deploy.errors import SegppError
from segpp_deploy.runtimes.builder_options import BuilderOptions
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.onnxruntime.cpu import CpuTarget
from segpp_deploy.runtimes.target import Payload, RuntimeFacts
from segpp_deploy.workflows.build_engine.result import BuildResult


def test_a_fresh_engine_passes_and_may_move(built: BuildResult, tmp_path: Path) -> None:
    assert verify_engine(built.path) == built.manifest
    moved = tmp_path / "elsewhere" / "renamed.onnx"
    moved.parent.mkdir()
    shutil.copy(built.path, moved)
    shutil.copy(manifest_path(built.path), manifest_path(moved))
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
    manifest_path(built.path).write_text(dump_manifest(manifest))


def test_another_runtime_version(built: BuildResult) -> None:
    present = built.manifest.runtime.version
    record(built, version="1.0.0")
    with pytest.raises(SegppError, match=f"version 1.0.0, here {present}") as caught:
        verify_engine(built.path)
    assert "onnxruntime 1.0.0" in caught.value.expected
    assert f"segpp-deploy build-engine {built.manifest.source} --target cpu -o {built.path}" in caught.value.fix


TENSORRT = RuntimeFacts("tensorrt", "11.4", "13", "13.0", ("8.9",), "a" * 64)
RTX = RuntimeFacts("tensorrt_rtx", "1.7.1", "13", None, ("8.6", "8.9", "12.0"))


def check(built: BuildResult, needs: RuntimeFacts, **here: Any) -> None:
    """Check an engine with the needs `needs` on a machine that offers the same, but for `here`."""
    settings = BuilderOptions(compute_capabilities=needs.compute_capabilities, workspace_mib=64)
    manifest = built.manifest.model_copy(update={"runtime": needs, "builder": settings})
    check_runtime(built.path, manifest, replace(needs, **here), manifest.rebuild_command(built.path))


@pytest.mark.parametrize(
    "here",
    [
        {},
        {"driver": "13.2"},
        {"cuda": None},
        {"compute_capabilities": ()},  # no GPU: another check says so
    ],
)
def test_what_does_not_matter(built: BuildResult, here: dict[str, Any]) -> None:
    check(built, TENSORRT, **here)


@pytest.mark.parametrize(
    ("needs", "here", "complaint"),
    [
        (TENSORRT, {"version": "10.3.0"}, r"tensorrt version 11\.4, here 10\.3\.0"),
        (TENSORRT, {"name": "tensorrt_rtx"}, r"version tensorrt 11\.4, here 11\.4"),
        (TENSORRT, {"cuda": "12"}, "cuda 13, here 12"),
        (TENSORRT, {"compute_capabilities": ("12.0",)}, r"compute capability 8\.9, here 12\.0"),
        (RTX, {"compute_capabilities": ("9.0",)}, r"compute capability 8\.6, 8\.9, 12\.0, here 9\.0"),
        (TENSORRT, {"plugin_sha256": "b" * 64}, "plugin library aaaaaaaaaaaa, here bbbbbbbbbbbb"),
        (TENSORRT, {"plugin_sha256": None}, r"plugin library aaaaaaaaaaaa, here none"),
    ],
)
def test_what_differs_is_named(built: BuildResult, needs: RuntimeFacts, here: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SegppError, match=complaint) as caught:
        check(built, needs, **here)
    assert f"{needs.name} {needs.version} and an NVIDIA GPU of compute capability" in caught.value.expected
    capabilities = ",".join(needs.compute_capabilities)
    assert f"--compute-capability {capabilities} --workspace-mib 64 -o {built.path}" in caught.value.fix
    has_no_library = "plugin_sha256" in here and here["plugin_sha256"] is None
    assert caught.value.fix.startswith("Build the plugins: segpp-deploy plugins build --kernels. ") == has_no_library


@pytest.mark.parametrize("capability", ["8.6", "12.0"])
def test_an_engine_for_several_gpus_runs_on_each(built: BuildResult, capability: str) -> None:
    check(built, RTX, compute_capabilities=(capability,))


def test_an_engine_without_plugins_does_not_mind_a_library(built: BuildResult) -> None:
    check(built, replace(TENSORRT, plugin_sha256=None), plugin_sha256="b" * 64)


def test_several_differences_stand_side_by_side(built: BuildResult) -> None:
    with pytest.raises(SegppError, match=r"version 11\.4, here 10\.3; compute capability 8\.9, here 8\.7\."):
        check(built, TENSORRT, version="10.3", compute_capabilities=("8.7",))


def test_an_engine_whose_runtime_is_not_there(built: BuildResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    manifest = built.manifest.model_copy(update={"target": TargetName.TENSORRT, "payload": Payload.TENSORRT_PLAN})
    manifest_path(built.path).write_text(dump_manifest(manifest))
    with pytest.raises(SegppError, match=r"TensorRT \(Python module tensorrt\)") as caught:
        verify_engine(built.path)
    assert caught.value.fix == "pip install 'segpp-deploy[gpu]'"


def test_an_engine_whose_gpu_is_not_there(built: BuildResult, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_gpu(self: CpuTarget) -> None:
        raise SegppError("No NVIDIA GPU was found.", "a GPU.", "Run this on a machine with a GPU.")

    monkeypatch.setattr(CpuTarget, "require_device", no_gpu)
    with pytest.raises(SegppError, match=r"tiny\.engine cannot run here: No NVIDIA GPU was found\.") as caught:
        verify_engine(built.path)
    assert (caught.value.expected, caught.value.fix) == (
        f"onnxruntime {built.manifest.runtime.version}, as when it was built.",
        "Run this on a machine with a GPU.",
    )
