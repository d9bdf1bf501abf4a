from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from segpp_deploy.config import Precision
from segpp_deploy.engine.automatic_choice import AutomaticChoice
from segpp_deploy.engine.manifest import Manifest, _checksum, dump_manifest, manifest_path, read_manifest
from segpp_deploy.errors import SegppError
from segpp_deploy.files import sha256_of
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.target import Payload, RuntimeFacts
from segpp_deploy.workflows.build_engine.result import BuildResult
from tests.engine.conftest import Build
from tests.support.tiny_graphs import tiny_metadata


def rewrite(built: BuildResult, change: Any, checksum: bool = True) -> None:
    """Change the manifest's values, with the checksum made right again or left as it was."""
    values = json.loads(manifest_path(built.path).read_text())
    change(values)
    if checksum:
        values.pop("checksum", None)
        values["checksum"] = _checksum(values)
    manifest_path(built.path).write_text(json.dumps(values))


def test_says_what_the_engine_is(built: BuildResult, tmp_path: Path) -> None:
    manifest = read_manifest(built.path)
    assert manifest == built.manifest
    assert manifest.metadata == tiny_metadata()
    assert manifest.target is TargetName.CPU
    assert manifest.runtime.name == "onnxruntime"
    assert manifest.precision is Precision.FP32
    assert manifest.source_sha256 == sha256_of(tmp_path / "tiny.onnx")
    assert manifest.engine_sha256 == sha256_of(built.path)
    assert manifest.size_bytes == built.path.stat().st_size
    assert manifest.input.shape == (1, 64, 96, 3)
    assert manifest.created.endswith("+00:00")


def test_a_byte_order_mark_changes_nothing(built: BuildResult) -> None:
    path = manifest_path(built.path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_manifest(built.path) == built.manifest


def test_is_plain_json(built: BuildResult) -> None:
    values = json.loads(manifest_path(built.path).read_text())
    assert values["target"] == "cpu"
    assert values["metadata"]["arch"] == "b0"
    assert values["runtime"]["cuda"] is None
    assert values["outputs"] == [{"name": "labels", "dtype": "uint8", "shape": [1, 64, 96]}]


def test_missing_engine_and_missing_manifest(built: BuildResult, tmp_path: Path) -> None:
    with pytest.raises(SegppError, match="No such file"):
        read_manifest(tmp_path / "other.engine")
    manifest_path(built.path).unlink()
    with pytest.raises(SegppError, match="has no manifest") as caught:
        read_manifest(built.path)
    assert f"-o {built.path}" in caught.value.fix


def test_an_export_or_a_manifest_is_no_engine(built: BuildResult, tmp_path: Path) -> None:
    with pytest.raises(SegppError) as caught:
        read_manifest(tmp_path / "tiny.onnx")
    assert f"build-engine {tmp_path / 'tiny.onnx'} -o {tmp_path / 'tiny.engine'}" in caught.value.fix
    with pytest.raises(SegppError, match="looks like a manifest") as caught:
        read_manifest(manifest_path(built.path))
    assert "tiny.engine" in caught.value.fix


@pytest.mark.parametrize(
    "text", ["", "{", "not json", "[1]", "null", "\x00\xff", "[" * 100_000], ids=lambda text: text[:9] or "empty"
)
def test_not_json(built: BuildResult, text: str) -> None:
    manifest_path(built.path).write_bytes(text.encode("latin-1"))
    with pytest.raises(SegppError, match=r"is not JSON|holds no mapping"):
        read_manifest(built.path)


@pytest.mark.parametrize("field", sorted(Manifest.model_fields))
def test_every_edit_is_noticed(built: BuildResult, field: str) -> None:
    rewrite(built, lambda values: values.update({field: "edited"}), checksum=False)
    with pytest.raises(SegppError, match="was changed after the build"):
        read_manifest(built.path)


@pytest.mark.parametrize("field", sorted(set(Manifest.model_fields) - {"schema_version", "automatic"}))
def test_missing_fields_are_named(built: BuildResult, field: str) -> None:
    rewrite(built, lambda values: values.pop(field))
    with pytest.raises(SegppError, match=f"cannot be read: {field}"):
        read_manifest(built.path)


def test_engines_from_before_choices_were_recorded_open(built: BuildResult) -> None:
    rewrite(built, lambda values: values.pop("automatic"))
    assert read_manifest(built.path).automatic == AutomaticChoice(target=None, precision=None)


@pytest.mark.parametrize("target", [TargetName.CPU, TargetName.OPENVINO])
def test_says_what_the_file_holds(build_tiny: Build, target: TargetName) -> None:
    assert read_manifest(build_tiny(target)).payload is Payload.ONNX


@pytest.mark.parametrize(
    ("payload", "complaint"), [("zip", "payload: Input should be"), ("tensorrt-plan", "engines hold")]
)
def test_a_payload_that_its_target_does_not_make(built: BuildResult, payload: str, complaint: str) -> None:
    rewrite(built, lambda values: values.update(payload=payload))
    with pytest.raises(SegppError, match=complaint) as caught:
        read_manifest(built.path)
    assert "build-engine" in caught.value.fix


def test_bad_metadata_is_named(built: BuildResult) -> None:
    rewrite(built, lambda values: values["metadata"].update(arch="b9"))
    with pytest.raises(SegppError, match="b9"):
        read_manifest(built.path)


def test_fields_of_a_newer_version(built: BuildResult) -> None:
    rewrite(built, lambda values: values.update(schema_version=2))
    with pytest.raises(SegppError, match="newer segpp-deploy") as caught:
        read_manifest(built.path)
    assert "--target cpu" in caught.value.fix


def test_rebuild_command_quotes_and_keeps_the_choices(built: BuildResult) -> None:
    manifest = built.manifest.model_copy(
        update={"source": "my models/a.onnx", "target": TargetName.OPENVINO, "precision": Precision.BF16}
    )
    assert manifest.rebuild_command(Path("a.engine")) == (
        "segpp-deploy build-engine 'my models/a.onnx' --target openvino --precision bf16 -o a.engine"
    )
    assert "--precision" not in built.manifest.rebuild_command(Path("a.engine"))


def test_gpu_facts_survive(built: BuildResult) -> None:
    facts = RuntimeFacts("tensorrt", "11.4", "13", "13.2", ("8.9", "12.0"), "ab" * 32)
    manifest = built.manifest.model_copy(update={"runtime": facts})
    manifest_path(built.path).write_text(dump_manifest(manifest))
    assert read_manifest(built.path).runtime == facts
