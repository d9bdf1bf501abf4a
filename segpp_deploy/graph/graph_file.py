"""Read an exported ONNX file and make sure that it is whole and what its metadata says."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from segpp_deploy import commands
from segpp_deploy.errors import SegppError, one_line
from segpp_deploy.files import require_file, sha256_of
from segpp_deploy.graph.contract import TensorSpec, input_spec, output_specs
from segpp_deploy.graph.metadata import ExportMetadata

_EXPORT = commands.export()


@dataclass(frozen=True)
class GraphFile:
    """A checked ONNX file: the loaded model with all weights, its metadata and the file's hash."""

    path: Path
    model: onnx.ModelProto = field(repr=False)
    metadata: ExportMetadata
    sha256: str


def read_graph(path: Path) -> GraphFile:
    """Read a file that `segpp-deploy export` wrote.

    Raises:
        SegppError: no such file, not ONNX, truncated, without our metadata, inputs or outputs that differ from what
            the metadata says, or external weights that are missing.
    """
    model = load_model(path)
    properties = {entry.key: entry.value for entry in model.metadata_props}
    metadata = ExportMetadata.from_properties(properties, str(path))
    _check_contract(path, model, metadata)
    _load_external_weights(path, model)
    _check_model(path, model)
    return GraphFile(path, model, metadata, sha256_of(path))


def load_model(path: Path) -> onnx.ModelProto:
    """Read any ONNX file without its external weights.

    Raises:
        SegppError: no such file, not ONNX, or truncated.
    """
    require_file(path, "ONNX file written by `export`", _EXPORT)
    try:
        model = onnx.load(str(path), format="protobuf", load_external_data=False)
    except DecodeError as error:
        raise _not_onnx(path) from error
    if not model.ir_version or not model.graph.node:
        raise _not_onnx(path)
    if not _is_text(model):
        raise SegppError(f"{path} is damaged: names in it are no text.", "a whole ONNX file.", _EXPORT)
    return model


def graph_tensor(value: onnx.ValueInfoProto) -> TensorSpec:
    """Return name, type and shape of a graph's input or output; symbolic and unknown lengths are None."""
    tensor = value.type.tensor_type
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name if tensor.elem_type else "unknown"
    shape = tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim)
    return TensorSpec(value.name, dtype, shape)


def _is_text(value: Any) -> bool:
    """Whether all names in a message are text; protobuf hands on those that are no UTF-8 as bytes."""
    if isinstance(value, str | bytes):
        return isinstance(value, str)
    if isinstance(value, onnx.TensorProto):  # whatever else it has is data
        return _is_text(value.name)
    if isinstance(value, Message):
        kinds = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_MESSAGE)
        return all(_is_text(content) for field, content in value.ListFields() if field.type in kinds)
    return all(map(_is_text, value))


def _not_onnx(path: Path) -> SegppError:
    return SegppError(f"{path} is not an ONNX file, or is cut short.", "a whole ONNX file.", _EXPORT)


def _check_contract(path: Path, model: onnx.ModelProto, metadata: ExportMetadata) -> None:
    ends = (
        ("input", model.graph.input, [input_spec(metadata)]),
        ("output", model.graph.output, list(output_specs(metadata))),
    )
    for kind, values, expected in ends:
        found = [graph_tensor(value) for value in values]
        if found != expected:
            raise SegppError(
                f"The {kind} of {path} is {'; '.join(map(str, found)) or 'missing'}.",
                f"{'; '.join(map(str, expected))}, as its metadata says.",
                "The file was changed after the export; write it again: " + _EXPORT,
            )


def _load_external_weights(path: Path, model: onnx.ModelProto) -> None:
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise SegppError(
            f"The weights of {path} lie in another file that cannot be read: {one_line(error)}.",
            "the weights file beside the ONNX file, under the name it was written with.",
            "Copy both files together, or write it again: " + _EXPORT,
        ) from error


def _check_model(path: Path, model: onnx.ModelProto) -> None:
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, UnicodeDecodeError) as error:  # its message may quote weights, or cut letters
        raise SegppError(f"{path} is not valid ONNX: {one_line(error)}.", "a valid ONNX graph.", _EXPORT) from error
