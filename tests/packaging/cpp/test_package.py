from __future__ import annotations

import json
from pathlib import Path

import pytest

from segpp_deploy.config import OutputKind
from segpp_deploy.errors import SegppError
from segpp_deploy.packaging.cpp.package import package_for_cpp
from segpp_deploy.packaging.stacks import Stack
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from segpp_deploy.workflows.package.options import PackageOptions
from segpp_deploy.workflows.package.run import run_package
from tests.support.plan_files import write_plan
from tests.support.requirements import needs
from tests.support.stub_exports import export_stub
from tests.support.tiny_graphs import tiny_metadata


def build(folder: Path, name: str = "stub") -> Path:
    graph = export_stub(folder / "stub.onnx", tiny_metadata(OutputKind.LABELS))
    return run_build(graph, folder / f"{name}.engine", BuildOptions(TargetName.OPENVINO)).path


def test_cmake_is_told_of_each_runtime_once(tmp_path: Path) -> None:
    targets = (TargetName.CPU, TargetName.TENSORRT, TargetName.CPU)
    engines = [write_plan(tmp_path / f"{i}.engine", tiny_metadata(), target) for i, target in enumerate(targets)]
    package = package_for_cpp(engines, None)
    assert "-B build -DONNXRUNTIME_ROOT=DIR -DTENSORRT_ROOT=DIR && " in package.start


@needs("openvino")
def test_a_package_holds_the_library_and_whole_engines(tmp_path: Path) -> None:
    engines = build(tmp_path), build(tmp_path, name="other")
    result = run_package(PackageOptions(engines, Stack.CPP, tmp_path / "out"))
    for engine in engines:
        for name in (engine.name, f"{engine.name}.json"):
            assert (tmp_path / "out/engines" / name).read_bytes() == engine.with_name(name).read_bytes()
    assert (tmp_path / "out/library/include/segpp/segpp.h").is_file()
    assert (tmp_path / "out/library/src/openvino_backend.cpp").is_file()
    assert {str(tmp_path / "out" / name) for name in result.files} == {
        str(path) for path in (tmp_path / "out").rglob("*") if path.is_file()
    }
    readme = (tmp_path / "out/README.md").read_text()
    assert "engines/stub.engine" in readme
    assert "image uint8 [1, 64, 96, 3]" in readme
    record = json.loads((tmp_path / "out/package.json").read_text())
    assert [one["file"] for one in record["engines"]] == ["stub.engine", "other.engine"]


@needs("openvino")
def test_what_cannot_be_packaged_leaves_nothing(tmp_path: Path) -> None:
    engine = build(tmp_path)
    other = write_plan(tmp_path / "rtx.engine", tiny_metadata(), TargetName.TENSORRT_RTX).path
    for engines, name, complaint in (
        ((other,), None, "it was built for the target tensorrt-rtx"),
        ((engine, engine), None, "Two engines are called stub.engine"),
        ((engine, engine), "road", "cannot all be called road"),
        ((tmp_path / "none.engine",), None, "none.engine"),
    ):
        with pytest.raises(SegppError, match=complaint):
            run_package(PackageOptions(engines, Stack.CPP, tmp_path / "out", name))
    with pytest.raises(SegppError, match="is there already"):
        run_package(PackageOptions((engine,), Stack.CPP, tmp_path))
    engine.write_bytes(engine.read_bytes()[:-1])
    with pytest.raises(SegppError, match="not the file that was built"):
        run_package(PackageOptions((engine,), Stack.CPP, tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_no_engine(tmp_path: Path) -> None:
    with pytest.raises(SegppError, match="No engine was named"):
        PackageOptions((), Stack.CPP, tmp_path)
