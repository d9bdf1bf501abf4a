"""The end of a segmentation graph that returns labels: Resize -> TopK -> Squeeze -> Cast; runtimes want other forms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from segpp_deploy.ops.portable.writer import NodeWriter

LABELS_DTYPE = ir.DataType.UINT8


@dataclass(frozen=True)
class LabelTail:
    """Where the tail begins and ends.

    Args:
        resize: from the logits [B, K, h, w] to the picture's size.
        cast: makes the graph's output, labels [B, H, W] uint8.
        scales: how many times higher and wider the picture is than the logits.
    """

    resize: ir.Node
    cast: ir.Node
    scales: tuple[float, float]

    @property
    def logits(self) -> ir.Value:
        """What is resized."""
        value = self.resize.inputs[0]
        assert value is not None
        return value

    def writer(self, form: str) -> NodeWriter:
        """Return a writer for another form of the tail."""
        return NodeWriter(f"{self.cast.outputs[0].name}.{form}", self.cast)

    def replace(self, graph: ir.Graph, write: NodeWriter, labels: ir.Value) -> None:
        """Let `labels` [B, H, W] of any integer type, which `write` made, take the place of the comparison."""
        self.cast.replace_input_with(0, labels)
        for initializer in write.initializers:
            graph.register_initializer(initializer)
        graph.insert_before(self.cast, write.nodes)


def find_label_tail(graph: ir.Graph) -> LabelTail | None:
    """Return the tail of a graph that returns labels."""
    return next((tail for output in graph.outputs if (tail := _tail_of(output)) is not None), None)


def _tail_of(output: ir.Value) -> LabelTail | None:
    cast = output.producer()
    nodes = [cast]
    for op_type in ("Cast", "Squeeze", "TopK", "Resize"):
        node = nodes[-1]
        if node is None or node.op_type != op_type or node.inputs[0] is None:
            return None
        nodes.append(node.inputs[0].producer())
    resize = nodes[3]
    assert resize is not None
    assert cast is not None
    scales = _constant(resize.inputs[2])
    if output.dtype != LABELS_DTYPE or scales is None:
        return None
    _, _, scale_y, scale_x = scales.tolist()
    return LabelTail(resize, cast, (scale_y, scale_x))


def _constant(value: ir.Value | None) -> npt.NDArray[np.generic] | None:
    return None if value is None or value.const_value is None else value.const_value.numpy()
