"""The end of a segmentation graph that returns labels; runtimes want other forms.

Resize -> TopK -> Squeeze -> Cast, with an Unsqueeze before the Cast where labels have an axis for their channel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from segpp_deploy.ops.portable.writer import NodeWriter


@dataclass(frozen=True)
class LabelTail:
    """Where the tail begins and ends.

    Args:
        resize: from the logits [B, K, h, w] to the picture's size.
        reader: takes the labels [B, H, W] of the comparison.
        output: of the graph.
        scales: how many times higher and wider the picture is than the logits.
    """

    resize: ir.Node
    reader: ir.Node
    output: ir.Value
    scales: tuple[float, float]

    @property
    def logits(self) -> ir.Value:
        """What is resized."""
        value = self.resize.inputs[0]
        assert value is not None
        return value

    def writer(self, form: str) -> NodeWriter:
        """Return a writer for another form of the tail."""
        return NodeWriter(f"{self.output.name}.{form}", self.reader)

    def replace(self, graph: ir.Graph, write: NodeWriter, labels: ir.Value) -> None:
        """Let `labels` [B, H, W] of any integer type, which `write` made, take the place of the comparison."""
        self.reader.replace_input_with(0, labels)
        for initializer in write.initializers:
            graph.register_initializer(initializer)
        graph.insert_before(self.reader, write.nodes)


def find_label_tail(graph: ir.Graph) -> LabelTail | None:
    """Return the tail of a graph that returns labels."""
    return next((tail for output in graph.outputs if (tail := _tail_of(output)) is not None), None)


def _tail_of(output: ir.Value) -> LabelTail | None:
    cast = _maker(output, "Cast")
    unsqueeze = cast and _maker(cast.inputs[0], "Unsqueeze")
    reader = unsqueeze or cast
    resize = reader
    for op_type in ("Squeeze", "TopK", "Resize"):
        resize = resize and _maker(resize.inputs[0], op_type)
    if reader is None or resize is None or (scales := _constant(resize.inputs[2])) is None:
        return None
    _, _, scale_y, scale_x = scales.tolist()
    return LabelTail(resize, reader, output, (scale_y, scale_x))


def _maker(value: ir.Value | None, op_type: str) -> ir.Node | None:
    node = None if value is None else value.producer()
    return node if node is not None and node.op_type == op_type else None


def _constant(value: ir.Value | None) -> npt.NDArray[np.generic] | None:
    return None if value is None or value.const_value is None else value.const_value.numpy()
