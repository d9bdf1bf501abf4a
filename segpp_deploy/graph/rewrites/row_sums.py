"""The means of merged tokens as sums in place instead of a matrix product; the function stays the same.

The portable body multiplies a one-hot matrix [B, D, N] with the tokens, because TensorRT refuses to scatter sums, and
ONNX Runtime 1.32 loses some where several threads add to one row. OpenVINO adds whole rows, one after another in token
order: every value is read and added once instead of D times.

Not for bfloat16: OpenVINO would add in that type too, and a row's sum would stop growing after some tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from segpp_deploy.ops.portable.writer import NodeWriter


class SumRowsInPlace(ir.passes.InPlacePass):
    """Rewrite the portable TokenMerge and TokenMergeWithSize where the batch is static and tokens are float32."""

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Rewrite each that is there."""
        found = [merge for node in model.graph if (merge := _find(node)) is not None]
        constants = _Constants()
        for merge in found:
            _rewrite(model.graph, merge, constants)
        return ir.passes.PassResult(model, modified=bool(found))


@dataclass(frozen=True)
class _PortableMerge:
    """What a merge is made of.

    Args:
        tokens: [B, N, C].
        row_of_token: [B, N].
        count: makes how many tokens [B, D, 1] the rows of destinations hold.
        end: makes merged [B, M, C].
    """

    tokens: ir.Value
    row_of_token: ir.Value
    count: ir.Node
    end: ir.Node


def _find(equal: ir.Node) -> _PortableMerge | None:
    members = _only_reader(equal, "Cast") if equal.op_type == "Equal" else None
    if members is None:
        return None
    readers = {use.node.op_type: use.node for use in members.outputs[0].uses()}
    product, count = readers.get("MatMul"), readers.get("ReduceSum")
    divide = None if product is None else _only_reader(product, "Div")
    rows = _maker(equal.inputs[0], "Unsqueeze")
    if product is None or count is None or divide is None or rows is None:
        return None
    tokens, row_of_token = product.inputs[1], rows.inputs[0]
    if tokens is None or row_of_token is None or divide.inputs[1] is not count.outputs[0]:
        return None
    if _maker(tokens, "Cast") is not None or tokens.shape is None or not isinstance(tokens.shape[0], int):
        return None  # other types are summed in float32 and rounded; of a dynamic batch no zeros are known
    append = _only_reader(divide, "Concat")
    keeps_sources = append is not None and _maker(append.inputs[1], "GatherND") is not None
    return _PortableMerge(tokens, row_of_token, count, end=append if append is not None and keeps_sources else divide)


def _maker(value: ir.Value | None, op_type: str) -> ir.Node | None:
    node = None if value is None else value.producer()
    return node if node is not None and node.op_type == op_type else None


def _only_reader(node: ir.Node, op_type: str) -> ir.Node | None:
    uses = tuple(node.outputs[0].uses())
    fits = len(uses) == 1 and uses[0].idx == 0 and uses[0].node.op_type == op_type
    return uses[0].node if fits else None


def _rewrite(graph: ir.Graph, merge: _PortableMerge, constants: _Constants) -> None:
    """Add tokens, and ones, to all M rows: that of a kept source is the source itself."""
    merged, count = merge.end.outputs[0], merge.count.outputs[0]
    batch, num_tokens, channels = _static_shape(merge.tokens)
    num_rows, num_destinations = _static_shape(merged)[1], _static_shape(count)[1]
    write = NodeWriter(f"{merged.name}.sums", merge.end)
    rows = write.op("Unsqueeze", merge.row_of_token, write.constant([-1], np.int64))
    images = np.repeat(np.arange(batch), num_tokens).reshape(batch, num_tokens, 1)
    index = write.op("Concat", constants.share(write, images), rows, axis=2)

    def add_to_rows(values: ir.Value, channels: int) -> ir.Value:
        zeros = constants.share(write, np.zeros((batch, num_rows, channels), np.float32))
        return write.op("ScatterND", zeros, index, values, reduction="add")

    sizes = add_to_rows(constants.share(write, np.ones((batch, num_tokens, 1), np.float32)), 1)
    means = write.op("Div", add_to_rows(merge.tokens, channels), sizes)
    bounds = (write.constant([number], np.int64) for number in (0, num_destinations, 1))
    of_destinations = write.op("Slice", sizes, *bounds)
    write.replace(graph, merge.end, [means])
    ir.convenience.replace_all_uses_with(count, of_destinations)


def _static_shape(value: ir.Value) -> tuple[int, ...]:
    assert value.shape is not None
    return cast("tuple[int, ...]", tuple(value.shape))


class _Constants:
    """Constants of the same content are one, so that an engine of forty layers does not hold zeros forty times."""

    def __init__(self) -> None:
        self._values: dict[tuple[bytes, tuple[int, ...]], ir.Value] = {}

    def share(self, write: NodeWriter, array: npt.NDArray[np.generic]) -> ir.Value:
        """Return the constant with the content of `array`; `write` adds it where there is none."""
        key = (array.tobytes(), array.shape)
        if key not in self._values:
            self._values[key] = write.constant(array, array.dtype.type)
        return self._values[key]
