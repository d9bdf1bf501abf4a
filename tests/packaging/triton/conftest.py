from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from segpp_deploy.config import Precision
from segpp_deploy.engine.manifest import Manifest, dump_manifest, manifest_path, read_manifest
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.runtimes.builder_options import BuilderOptions
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.registry import TARGETS
from segpp_deploy.runtimes.target import RuntimeFacts
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from tests.support.stub_exports import export_stub
from tests.support.tiny_graphs import tiny_metadata

StubGraph = Callable[[ExportMetadata], Path]
BuildStub = Callable[..., Path]
FakeEngine = Callable[..., Path]


@pytest.fixture(scope="session")
def stub_graph(tmp_path_factory: pytest.TempPathFactory) -> StubGraph:
    """stub_graph(metadata) -> an exported file, made once: tracing takes longer than all the rest."""
    folder = tmp_path_factory.mktemp("stubs")
    graphs: dict[str, Path] = {}

    def get(metadata: ExportMetadata) -> Path:
        if repr(metadata) not in graphs:
            graphs[repr(metadata)] = export_stub(folder / f"{len(graphs)}.onnx", metadata)
        return graphs[repr(metadata)]

    return get


@pytest.fixture
def build_stub(tmp_path: Path, stub_graph: StubGraph) -> BuildStub:
    """Build an engine of a network that takes no time: build_stub(target, metadata, name, precision=.., threads=..)."""

    def build(
        target: TargetName, metadata: ExportMetadata, name: str = "stub.engine", **options: Precision | int | None
    ) -> Path:
        graph = stub_graph(metadata)
        return run_build(graph, tmp_path / name, BuildOptions(target, **options)).path  # type: ignore[arg-type]

    return build


@pytest.fixture
def fake_engine(tmp_path: Path, build_stub: BuildStub) -> FakeEngine:
    """Write an engine that says it is TensorRT's, or another target's that is not here.

    fake_engine(name, capability="8.9", version=.., metadata=.., target=.., max_batch=None, plugin_sha256=None)
    """

    def write(
        name: str,
        capability: str = "8.9",
        version: str = "10.13.3.9",
        metadata: ExportMetadata | None = None,
        target: TargetName = TargetName.TENSORRT,
        max_batch: int | None = None,
        plugin_sha256: str | None = None,
    ) -> Path:
        built = read_manifest(build_stub(TargetName.CPU, metadata or tiny_metadata(), "real.engine"))
        path, content = tmp_path / name, f"plan for {capability}".encode()
        path.write_bytes(content)
        on_gpu = target in (TargetName.TENSORRT, TargetName.TENSORRT_RTX)
        capabilities = (capability,) if on_gpu else ()
        facts = RuntimeFacts(str(target), version, compute_capabilities=capabilities, plugin_sha256=plugin_sha256)
        update = {
            "target": target,
            "payload": TARGETS[target].payload,
            "runtime": facts,
            "builder": BuilderOptions(max_batch=max_batch),
            "tried": not on_gpu,
            "engine_sha256": hashlib.sha256(content).hexdigest(),
            "size_bytes": len(content),
        }
        manifest: Manifest = built.model_copy(update=update)
        manifest_path(path).write_text(dump_manifest(manifest))
        return path

    return write


def dynamic(metadata: ExportMetadata | None = None) -> ExportMetadata:
    """The same with an open batch."""
    return replace(metadata or tiny_metadata(), batch=None)
