from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from safetensors.torch import save_file

from segpp_deploy.config import Lowering, Size
from segpp_deploy.engine.manifest import manifest_path
from segpp_deploy.errors import SegppError
from segpp_deploy.model.dialects import Dialect, to_dialect
from segpp_deploy.report.json_report import to_json
from segpp_deploy.report.tables import to_markdown
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from segpp_deploy.workflows.inspect.result import FileKind, InspectResult
from segpp_deploy.workflows.inspect.run import run_inspect
from tests.support.random_models import random_model
from tests.support.tiny_graphs import PLUGIN_BODY, tiny_metadata, tiny_model, write_tiny

CARD = """
name: my-model
title: A model
arch: b0
task: seg
classes: [{name: road}, {name: sky}]
input_size: 512x1024
checkpoint: {file: weights.safetensors}
licence: Apache-2.0
provenance: trained here
"""


def text_of(result: InspectResult) -> str:
    assert json.loads(to_json(result.to_dict()))["kind"] == str(result.kind)
    return "\n".join(table.title + "\n" + to_markdown(table) for table in result.tables())


def test_graph(tmp_path: Path) -> None:
    result = run_inspect(str(write_tiny(tmp_path / "a.onnx", tiny_metadata(batch=None))))
    document = result.to_dict()
    assert result.kind is FileKind.GRAPH
    assert document["inputs"] == ["image uint8 [B, 64, 96, 3]"]
    assert document["operations"]["Cast"] == 4
    assert document["metadata"]["mode"] == "original"
    works = {entry["subject"]: entry["works"] for entry in document["runs_here"]}
    assert works["target cpu"]
    assert not works["target tensorrt"]
    text = text_of(result)
    assert "| batch | dynamic |" in text
    assert "| size | 64x96 |" in text
    assert "| 1 | 16x24 | 384 |" in text


def test_plugin_graph_does_not_run_on_the_cpu(tmp_path: Path) -> None:
    path = write_tiny(tmp_path / "a.onnx", tiny_metadata(lowering=Lowering.PLUGIN), PLUGIN_BODY)
    result = run_inspect(str(path))
    assert result.to_dict()["operations"]["segpp::UpsampleArgmax"] == 1
    cpu = next(entry for entry in result.runs_here if entry.subject == "target cpu")
    assert not cpu.works
    assert "--lowering portable" in cpu.fix


def test_foreign_graph_is_described_as_far_as_possible(tmp_path: Path) -> None:
    model = tiny_model(tiny_metadata())
    del model.metadata_props[:]
    onnx.save(model, str(tmp_path / "a.onnx"))
    result = run_inspect(str(tmp_path / "a.onnx"))
    assert "metadata" not in result.to_dict()
    assert not result.runs_here[0].works
    assert "holds no segpp" in result.runs_here[0].why_not
    assert "Add" in text_of(result)


@pytest.mark.parametrize("name", ["a.engine", "b.onnx", "c"])
def test_engine(tmp_path: Path, name: str) -> None:
    source = write_tiny(tmp_path / "source.onnx")
    built = run_build(source, tmp_path / name, BuildOptions(TargetName.CPU))
    result = run_inspect(str(built.path))
    assert result.kind is FileKind.ENGINE
    assert result.to_dict()["source_sha256"] == built.manifest.source_sha256
    assert result.runs_here[0].works
    assert "| outputs | labels uint8 [1, 64, 96] |" in text_of(result)


def test_the_engines_precision_is_shown_not_the_graphs(tmp_path: Path) -> None:
    values = {"precision": "bf16", "metadata": {"precision": "fp32", "arch": "b0"}}
    text = text_of(InspectResult("a.engine", FileKind.ENGINE, values))
    assert "| precision | bf16 |" in text
    assert "fp32" not in text


def test_damaged_engine_says_why_it_does_not_run(tmp_path: Path) -> None:
    built = run_build(write_tiny(tmp_path / "a.onnx"), tmp_path / "a.engine", BuildOptions(TargetName.CPU))
    built.path.write_bytes(built.path.read_bytes()[:-3])
    result = run_inspect(str(built.path))
    assert not result.runs_here[0].works
    assert "build-engine" in result.runs_here[0].fix
    manifest_path(built.path).unlink()
    with pytest.raises(SegppError, match="has no manifest"):
        run_inspect(str(built.path))


def test_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(to_dialect(random_model(Dialect.MMSEG, outputs=7), Dialect.MMSEG), str(path))
    result = run_inspect(str(path))
    assert result.kind is FileKind.CHECKPOINT
    assert (result.to_dict()["arch"], result.to_dict()["outputs"]) == ("b0", 7)
    assert result.next_step == f"segpp-deploy export --checkpoint {path} -o model.onnx"


def test_plan_file_and_preset(tmp_path: Path) -> None:
    plan = tmp_path / "mine.yaml"
    plan.write_text("stages: [{}, {}, {q: {mode: bsm, ratio: 0.9, stride: [4, 4]}}, {}]")
    result = run_inspect(str(plan), Size(1024, 1024))
    assert result.kind is FileKind.PLAN
    assert result.to_dict()["tokens"][2]["q_after"] == 410
    assert "| 3 | 64x64 | 4096 -> 410 | 1024 |" in text_of(result)
    assert run_inspect("fast", Size(512, 1024)).to_dict()["mode"] == "fast"


def test_card(tmp_path: Path) -> None:
    path = tmp_path / "my-model.yaml"
    path.write_text(CARD)
    result = run_inspect(str(path))
    assert result.kind is FileKind.CARD
    assert result.to_dict()["arch"] == "b0"
    assert "| input size | 512x1024 |" in text_of(result)


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("none.onnx", None, "No such file"),
        ("fastt", None, "No such file"),
        ("a.onnx", b"not a graph", "is not an ONNX file"),
        ("a.txt", b"hello", "no file that this program writes or reads"),
        ("a.jpg", b"\xff\xd8\xff", "no file that this program writes or reads"),
        ("empty", b"", "no file that this program writes or reads"),
        ("a.yaml", b"stages: [", "is not YAML"),
        ("a.yaml", b"name: a", "is wrong"),
        ("a.pth", b"xx", "a.pth"),
    ],
)
def test_other_files(tmp_path: Path, name: str, content: bytes | None, complaint: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SegppError, match=complaint):
        run_inspect(str(path) if "." in name or content is not None else name)
