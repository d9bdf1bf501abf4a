"""Engine files whose runtime is not here: a few bytes, with the manifest that a build would have written."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from segpp_deploy.config import Lowering
from segpp_deploy.engine.manifest import Manifest, dump_manifest, manifest_path
from segpp_deploy.graph.contract import input_spec, output_specs
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.packaging import plugins as packaged_plugins
from segpp_deploy.packaging.package import PackagedEngine
from segpp_deploy.runtimes.builder_options import BuilderOptions
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.registry import TARGETS
from segpp_deploy.runtimes.target import RuntimeFacts

PLUGINS_SHA256 = "0" * 64


def plugin_library(folder: Path, monkeypatch: pytest.MonkeyPatch, sha256: str = PLUGINS_SHA256) -> Path:
    """Let packages find a file as the plugin library, and return it."""
    path = folder / "libsegpp_plugins.so"
    path.write_bytes(b"not a library")
    library = SimpleNamespace(path=path, record=SimpleNamespace(sha256=sha256))
    monkeypatch.setattr(packaged_plugins, "find_plugin_library", lambda: library)
    return path


def write_plan(path: Path, metadata: ExportMetadata, target: TargetName = TargetName.TENSORRT) -> PackagedEngine:
    """Write an engine that nothing can run, and its manifest."""
    data = b"not a plan"
    plugins = PLUGINS_SHA256 if metadata.lowering is Lowering.PLUGIN else None
    digest = hashlib.sha256(data).hexdigest()
    manifest = Manifest(
        target=target,
        payload=TARGETS[target].payload,
        runtime=RuntimeFacts(TARGETS[target].runtime, "10.3.0", compute_capabilities=("8.7",), plugin_sha256=plugins),
        precision=metadata.precision,
        threads=None,
        builder=BuilderOptions(),
        layer_types={},
        tried=False,
        source="street.onnx",
        source_sha256=digest,
        engine_sha256=digest,
        size_bytes=len(data),
        input=input_spec(metadata),
        outputs=output_specs(metadata),
        build_seconds=1.0,
        created="2026-01-02T03:04:05+00:00",
        metadata=metadata,
        precision_record=None,
    )
    path.write_bytes(data)
    manifest_path(path).write_text(dump_manifest(manifest))
    return PackagedEngine(path, manifest)
