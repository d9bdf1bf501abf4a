from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from segpp_deploy.config import Lowering, OutputKind
from segpp_deploy.errors import SegppError
from segpp_deploy.files import sha256_of
from segpp_deploy.graph.graph_file import read_graph
from segpp_deploy.workflows.inspect.run import run_inspect
from tests.support.tiny_graphs import PLUGIN_BODY, tiny_metadata, tiny_model, write_tiny


def test_reads_what_export_wrote(tmp_path: Path) -> None:
    path = write_tiny(tmp_path / "a.onnx")
    graph = read_graph(path)
    assert graph.metadata == tiny_metadata()
    assert graph.sha256 == sha256_of(path)
    assert [node.op_type for node in graph.model.graph.node][-2:] == ["Add", "Cast"]


def test_reads_graphs_with_custom_ops(tmp_path: Path) -> None:
    metadata = tiny_metadata(lowering=Lowering.PLUGIN)
    assert read_graph(write_tiny(tmp_path / "a.onnx", metadata, PLUGIN_BODY)).metadata == metadata


@pytest.mark.parametrize("content", [b"not a graph", b"\x00" * 64, b"{}", b"PK\x03\x04 zip"])
def test_other_files_are_not_onnx(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(content)
    with pytest.raises(SegppError, match="is not an ONNX file, or is cut short"):
        read_graph(path)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_truncated_files_are_refused(tmp_path: Path, share: float) -> None:
    whole = write_tiny(tmp_path / "a.onnx").read_bytes()
    path = tmp_path / "b.onnx"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(SegppError):
        read_graph(path)


def test_missing_and_empty_files(tmp_path: Path) -> None:
    with pytest.raises(SegppError, match="No such file"):
        read_graph(tmp_path / "none.onnx")
    (tmp_path / "empty.onnx").touch()
    with pytest.raises(SegppError, match="0 bytes"):
        read_graph(tmp_path / "empty.onnx")


def test_foreign_onnx_has_no_metadata(tmp_path: Path) -> None:
    model = tiny_model(tiny_metadata())
    del model.metadata_props[:]
    onnx.save(model, str(tmp_path / "a.onnx"))
    with pytest.raises(SegppError, match="holds no segpp") as caught:
        read_graph(tmp_path / "a.onnx")
    assert "segpp-deploy export" in caught.value.fix


def test_ends_must_be_what_the_metadata_says(tmp_path: Path) -> None:
    model = tiny_model(tiny_metadata())
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, tiny_metadata(OutputKind.LOGITS).to_properties())
    onnx.save(model, str(tmp_path / "a.onnx"))
    with pytest.raises(SegppError, match=r"The output of .* is labels uint8") as caught:
        read_graph(tmp_path / "a.onnx")
    assert caught.value.expected.startswith("logits float32 [1, 3, 16, 24]")


def test_invalid_graph(tmp_path: Path) -> None:
    path = write_tiny(tmp_path / "a.onnx", body="labels = NoSuchOp (image)")
    with pytest.raises(SegppError, match="is not valid ONNX"):
        read_graph(path)


@pytest.mark.parametrize("name", [b"NoSuchOp", b"segpp.seed", b"image", b"checkpoint.pth"])
@pytest.mark.parametrize("read", [read_graph, lambda path: run_inspect(str(path))])
def test_a_damaged_file_whose_names_are_no_text(name: bytes, read: Callable[[Path], object], tmp_path: Path) -> None:
    metadata = replace(tiny_metadata(), seed=1, checkpoint="checkpoint.pth")
    path = write_tiny(tmp_path / "a.onnx", metadata, body="labels = NoSuchOp (image)")
    path.write_bytes(path.read_bytes().replace(name, b"\xff\xfe" + name[2:]))
    with pytest.raises(SegppError, match="is damaged: names in it are no text"):
        read(path)


def test_a_checker_whose_message_is_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(_model: onnx.ModelProto) -> None:
        b"Bad node \xff".decode()

    monkeypatch.setattr(onnx.checker, "check_model", check)
    with pytest.raises(SegppError, match="is not valid ONNX: 'utf-8' codec can't decode byte 0xff"):
        read_graph(write_tiny(tmp_path / "a.onnx"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("batch", "2"),
        ("batch", 0),
        ("classes", ["a", 1, "c"]),
        ("palette", [[0, 0, 256]] * 3),
        ("mean", [1, 2, "x"]),
        ("mean", [1, 2, float("nan")]),
        ("std", [1, 2, 0]),
        ("size", [10**400, 64]),
        ("checkpoint", None),
    ],
)
def test_metadata_of_another_type_is_refused(field: str, value: object, tmp_path: Path) -> None:
    model = tiny_model(tiny_metadata())
    next(entry for entry in model.metadata_props if entry.key == f"segpp.{field}").value = json.dumps(value)
    onnx.save(model, str(tmp_path / "a.onnx"))
    with pytest.raises(SegppError):
        read_graph(tmp_path / "a.onnx")


def _save_with_external_weights(path: Path) -> Path:
    model = tiny_model(tiny_metadata(), body="labels = Identity (image)")
    graph = model.graph
    weights = onnx.helper.make_tensor("weights", onnx.TensorProto.UINT8, [3, 1000], bytes(3000), raw=True)
    del graph.node[:]
    image = onnx.helper.make_node("ReduceMax", ["image", "axis"], ["a"], keepdims=0)
    use = onnx.helper.make_node("ReduceMax", ["weights"], ["b"], keepdims=0)
    graph.node.extend([image, use, onnx.helper.make_node("Mul", ["a", "b"], ["labels"])])
    axis = numpy_helper.from_array(np.array([3], np.int64), "axis")
    graph.initializer.extend([weights, axis])
    onnx.save_model(model, str(path), save_as_external_data=True, location=path.name + ".data", size_threshold=100)
    return path.with_name(path.name + ".data")


def test_external_weights_are_taken_in(tmp_path: Path) -> None:
    _save_with_external_weights(tmp_path / "a.onnx")
    tensor = next(t for t in read_graph(tmp_path / "a.onnx").model.graph.initializer if t.name == "weights")
    assert len(tensor.raw_data) == 3000
    assert not tensor.external_data


def test_missing_external_weights(tmp_path: Path) -> None:
    _save_with_external_weights(tmp_path / "a.onnx").unlink()
    with pytest.raises(SegppError, match=r"weights of .* lie in another file that cannot be read"):
        read_graph(tmp_path / "a.onnx")


def test_external_weights_stay_in_their_folder(tmp_path: Path) -> None:
    _save_with_external_weights(tmp_path / "a.onnx")
    model = onnx.load(str(tmp_path / "a.onnx"), load_external_data=False)
    tensor = next(t for t in model.graph.initializer if t.name == "weights")
    next(entry for entry in tensor.external_data if entry.key == "location").value = "../../etc/passwd"
    onnx.save(model, str(tmp_path / "a.onnx"))
    with pytest.raises(SegppError, match="cannot be read"):
        read_graph(tmp_path / "a.onnx")


@pytest.mark.parametrize("suffix", [".json", ".txt", ".textproto", ".onnxtxt"])
def test_the_name_does_not_choose_the_format(suffix: str, tmp_path: Path) -> None:
    whole = write_tiny(tmp_path / "a.onnx")
    assert read_graph(whole.rename(tmp_path / f"a{suffix}")).metadata == tiny_metadata()
    other = tmp_path / f"b{suffix}"
    other.write_text('{"schema_version": 1}')
    with pytest.raises(SegppError, match="is not an ONNX file"):
        read_graph(other)
