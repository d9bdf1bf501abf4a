"""Calibrated ranges by tensor name, as a YAML file that says what it was made from and notices changes."""

from __future__ import annotations

import decimal
import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import onnx_ir as ir
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from segpp_deploy import commands
from segpp_deploy.config import Arch, CalibrationMethod
from segpp_deploy.errors import SegppError, first_problem, quote
from segpp_deploy.files import MalformedFileError, read_yaml, require_file, write_text
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.graph.precision.half import LARGEST_HALF
from segpp_deploy.graph.precision.layers import Layer, LayerKind, find_layers, tensor_name
from segpp_deploy.model.plan_file import plan_to_dict

SCHEMA_VERSION = 1
HALF_SAFE_MAX = LARGEST_HALF / 4  # other images than the calibration's, and the sums inside a layer, reach further
UNIT_RANGE = 1.0  # for tensors that were zero everywhere: any scale represents that

_ROUND_UP = decimal.Context(prec=6, rounding=decimal.ROUND_CEILING)
_CALIBRATE = commands.calibrate()
_HEADER = f"# Written by `{commands.PROGRAM} calibrate`; the checksum covers everything below it.\n"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TensorRange(_Frozen):
    """What was seen of one tensor.

    Args:
        amax: the largest absolute value that INT8 represents; None where no layer reads or makes the tensor.
        max_abs: the largest absolute value seen.
    """

    amax: float | None = Field(default=None, ge=0)
    max_abs: float = Field(ge=0)


class CalibrationImages(_Frozen):
    """Which images were seen: how many, and the SHA-256 over their pixels, whatever their names and order."""

    count: int = Field(ge=1)
    sha256: str


class CalibrationRanges(_Frozen):
    """The content of a range file.

    Args:
        schema_version: of this layout.
        model: fingerprint of the weights and the merge plan, see `fingerprint_model`.
        arch: backbone.
        mode: name of the merge plan.
        size: input height and width in pixels.
        method: how `amax` was chosen.
        images: what was seen.
        data: kind and split of the data set, or "directory".
        tool_version: version of segpp-deploy.
        tensors: float activations of both lowerings, by name, in graph order.
    """

    schema_version: int
    model: str
    arch: Arch
    mode: str
    size: tuple[int, int]
    method: CalibrationMethod
    images: CalibrationImages
    data: str
    tool_version: str
    tensors: dict[str, TensorRange]

    def thresholds(self) -> dict[str, float]:
        """Return the clipping threshold of each tensor that can be quantised; all are above 0.

        Example:
            `quantize(model, read_ranges(path).thresholds())`
        """
        known = {name: seen.amax for name, seen in self.tensors.items() if seen.amax is not None}
        return {name: amax or UNIT_RANGE for name, amax in known.items()}


def round_range(value: float) -> float:
    """Round as range files do, upwards, so that nothing seen is above its recorded maximum.

    Example:
        >>> round_range(1.23456789)
        1.23457
    """
    return float(_ROUND_UP.create_decimal(repr(value)))


def fingerprint_model(model: ir.Model, metadata: ExportMetadata) -> str:
    """Return the SHA-256 over the weights of an fp32 export's layers, by layer name, and the merge plan.

    Equal for both lowerings, every size, batch, input and output. What export makes from products of weights is left
    out, as the last bit of those may depend on the machine.
    """
    digest = hashlib.sha256(json.dumps(plan_to_dict(metadata.plan), sort_keys=True).encode())
    layers = find_layers(model)
    names = {layer.name for layer in layers}
    for layer in sorted(layers, key=lambda layer: layer.name):
        if _is_product(layer, names) or layer.weight.const_value is None:
            continue
        weight = layer.weight.const_value.numpy()
        digest.update(f"{layer.name}{list(weight.shape)}".encode())
        digest.update(weight.astype("<f4").tobytes())
    return digest.hexdigest()


def _is_product(layer: Layer, names: Collection[str]) -> bool:
    """Whether folding (model/folding.py) made its weight: a head's stage, or values that took in the output layer."""
    if layer.kind is LayerKind.VALUE:
        return f"{layer.name.removesuffix(LayerKind.VALUE)}{LayerKind.OUTPUT}" not in names
    return layer.kind is LayerKind.HEAD_STAGE


def write_ranges(path: Path, ranges: CalibrationRanges) -> None:
    """Write a range file, whole or not at all; equal ranges give equal bytes.

    Raises:
        SegppError: the file system refuses.
    """
    write_text(path, format_ranges(ranges))


def format_ranges(ranges: CalibrationRanges) -> str:
    """Return the text of a range file."""
    content = _to_plain(ranges)
    # one line a tensor: leaves of the tree are written in flow style
    body = yaml.safe_dump(
        {"checksum": _checksum(content), **content}, sort_keys=False, default_flow_style=None, width=1000
    )
    return _HEADER + body


def read_ranges(path: Path) -> CalibrationRanges:
    """Read and check a range file.

    Raises:
        SegppError: no such file, not a range file, of another version, edited, or cut short.
    """
    require_file(path, "range file (YAML)", _CALIBRATE)
    try:
        content = read_yaml(path)
    except MalformedFileError as error:
        raise _not_ranges(path, f"is not YAML: {error}") from error
    if not isinstance(content, dict) or "checksum" not in content:
        raise _not_ranges(path, "is not a range file")
    checksum = content.pop("checksum")
    if content.get("schema_version") != SCHEMA_VERSION:
        raise SegppError(
            f"{path} has the schema version {quote(content.get('schema_version'))}.",
            f"version {SCHEMA_VERSION}, which this segpp-deploy reads.",
            "Calibrate again: " + _CALIBRATE,
        )
    try:
        ranges = CalibrationRanges.model_validate(content)
    except ValidationError as error:
        raise _not_ranges(path, f"cannot be used: {first_problem(error)}") from error
    if checksum != _checksum(_to_plain(ranges)):
        raise _not_ranges(path, "was edited or cut short: its checksum does not fit")
    return ranges


def check_ranges(
    ranges: CalibrationRanges, model: ir.Model, metadata: ExportMetadata, where: str = "The range file"
) -> tuple[str, ...]:
    """Check that ranges belong to an fp32 export, and return what the user should know.

    Args:
        ranges: as read.
        model: the export, in either lowering.
        metadata: the export's.
        where: the range file's name, for messages.

    Raises:
        SegppError: made for another model or merge plan, or a tensor of a layer has no range.
    """
    made_for, this = f"{ranges.arch} {ranges.mode}", f"{metadata.arch} {metadata.mode}"
    if made_for != this:
        raise SegppError(f"{where} was made for {made_for}.", f"ranges of this model, {this}.", _CALIBRATE)
    if ranges.model != fingerprint_model(model, metadata):
        raise SegppError(
            f"{where} was made for {made_for} with other weights or another merge plan.",
            "ranges of the same weights and the same plan.",
            _CALIBRATE,
        )
    made_at, thresholds = "x".join(map(str, ranges.size)), ranges.thresholds()
    for layer in find_layers(model):
        for name in (tensor_name(layer.input), tensor_name(layer.output)):
            if name not in thresholds:
                raise SegppError(
                    f"{where}, made at {made_at}, has no range for the tensor {name!r} of layer {layer.name}.",
                    f"a range for every tensor around a convolution or linear layer of this export at {metadata.size}.",
                    _CALIBRATE,
                )
    if ranges.size != metadata.size.hw:
        return (f"{where} was calibrated at {made_at}, the model takes {metadata.size}: ranges may differ.",)
    return ()


def tensors_unsafe_in_fp16(ranges: CalibrationRanges, bound: float = HALF_SAFE_MAX) -> tuple[str, ...]:
    """Return the tensors that were seen above `bound`, in graph order; FP16 ends at 65504."""
    return tuple(name for name, seen in ranges.tensors.items() if seen.max_abs > bound)


def _to_plain(ranges: CalibrationRanges) -> dict[str, Any]:
    return ranges.model_dump(mode="json", exclude_none=True)


def _checksum(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _not_ranges(path: Path, why: str) -> SegppError:
    return SegppError(f"{path} {why}.", "a range file as `calibrate` wrote it.", _CALIBRATE)
