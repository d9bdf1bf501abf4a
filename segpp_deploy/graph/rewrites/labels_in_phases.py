"""Labels without ever writing the logits of the whole picture in one piece; for OpenVINO.

Bilinear upsampling by a whole number gives each low-resolution pixel s x s high-resolution ones, and the ones at the
same place in their square, a phase, are the same weighted sum of two neighbours in each direction. So every phase is
an elementwise sum of shifted planes, its labels are compared at low resolution, and only those bytes are interleaved.
OpenVINO's own resize followed by TopK converts the type and layout of the whole upsampled tensor in between: 32 ms
against 17 ms with 19 classes at 1024x1024.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
import onnx_ir as ir

from segpp_deploy.graph.rewrites.label_tail import LabelTail, find_label_tail
from segpp_deploy.ops.portable.writer import NodeWriter

MOST_CLASSES = 32
"""With more, comparing planes costs more than the conversions do (33 classes in float32: 43 ms against 33 ms)."""

_SCALES = (2, 4, 8)


class LabelsInPhases(ir.passes.InPlacePass):
    """Rewrite the tail of a graph that returns labels, if it enlarges by the same whole number and classes are few."""

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Rewrite it if it is there."""
        tail = find_label_tail(model.graph)
        if tail is None or not _fits(tail):
            return ir.passes.PassResult(model, modified=False)
        _rewrite(model.graph, tail, int(tail.scales[0]))
        return ir.passes.PassResult(model, modified=True)


@dataclass(frozen=True)
class Tap:
    """A phase along one axis: `weight` of the neighbour at `offset` (-1 or 1), the rest of the pixel itself."""

    offset: int
    weight: float


def phases_of(scale: int) -> tuple[Tap, ...]:
    """Return the taps of bilinear upsampling by an even number, with half-pixel centres.

    Example:
        >>> phases_of(2)
        (Tap(offset=-1, weight=0.25), Tap(offset=1, weight=0.25))
    """
    positions = ((index + 0.5) / scale - 0.5 for index in range(scale))
    return tuple(Tap(-1 if position < 0 else 1, abs(position)) for position in positions)


def _fits(tail: LabelTail) -> bool:
    assert tail.logits.shape is not None
    classes = cast("int", tail.logits.shape[1])
    return tail.scales[0] == tail.scales[1] and tail.scales[0] in _SCALES and classes <= MOST_CLASSES


def _rewrite(graph: ir.Graph, tail: LabelTail, scale: int) -> None:
    assert tail.logits.shape is not None
    classes, height, width = cast("tuple[int, int, int]", tuple(tail.logits.shape)[1:])  # only the batch is dynamic
    write = tail.writer("phases")
    # Three axes: with four, OpenVINO would put the channels last and turn every plane around again.
    planes = _reshape(write, tail.logits, (-1, height, width))
    labels = []
    for columns in _phases(write, planes, axis=2, length=width, scale=scale):
        for rows in _phases(write, columns, axis=1, length=height, scale=scale):
            scores = _reshape(write, rows, (-1, classes, height * width))
            _, best = write.multi_op("TopK", scores, write.constant([1], np.int64), num_outputs=2, axis=1)
            labels.append(write.op("Cast", best, to=ir.DataType.UINT8.value))
    by_phase = _reshape(write, write.op("Concat", *labels, axis=1), (-1, scale, scale, height, width))
    interleaved = write.op("Transpose", by_phase, perm=[0, 3, 2, 4, 1])  # [B, h, phase of row, w, phase of column]
    tail.replace(graph, write, _reshape(write, interleaved, (-1, height * scale, width * scale)))


def _phases(write: NodeWriter, planes: ir.Value, axis: int, length: int, scale: int) -> Iterator[ir.Value]:
    """Yield the phases of planes [N, h, w] along an axis; at the edge a pixel is its own neighbour."""
    neighbours = {
        -1: write.op(
            "Concat", _slice(write, planes, axis, 0, 1), _slice(write, planes, axis, 0, length - 1), axis=axis
        ),
        1: write.op(
            "Concat", _slice(write, planes, axis, 1, length), _slice(write, planes, axis, length - 1, length), axis=axis
        ),
    }
    for tap in phases_of(scale):
        neighbour = write.op("Mul", neighbours[tap.offset], write.constant(tap.weight, np.float32))
        itself = write.op("Mul", planes, write.constant(1 - tap.weight, np.float32))
        yield write.op("Add", neighbour, itself)


def _slice(write: NodeWriter, value: ir.Value, axis: int, start: int, end: int) -> ir.Value:
    return write.op("Slice", value, *(write.constant([number], np.int64) for number in (start, end, axis)))


def _reshape(write: NodeWriter, value: ir.Value, shape: tuple[int, ...]) -> ir.Value:
    return write.op("Reshape", value, write.constant(shape, np.int64))
