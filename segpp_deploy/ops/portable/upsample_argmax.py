"""segpp::UpsampleArgmax in standard ops; `segpp_deploy.ops.upsample_argmax` defines what it computes."""

from __future__ import annotations

from typing import cast

import numpy as np
import onnx_ir as ir

from segpp_deploy.ops.portable.writer import Matches, NodeWriter, integer_attribute, required_input


def lower_upsample_argmax(write: NodeWriter, node: ir.Node, matches: Matches) -> tuple[ir.Value, ...]:
    """Write the body and return labels [B, height, width] uint8."""
    logits = write.cast(required_input(node, 0), ir.DataType.FLOAT)
    assert logits.shape is not None
    before = cast("tuple[int, int]", tuple(logits.shape[2:]))  # only the batch axis is ever dynamic
    after = [integer_attribute(node, name) for name in ("height", "width")]
    scales = [new / old for new, old in zip(after, before, strict=True)]
    full = write.op(
        "Resize",
        logits,
        None,
        write.constant([1.0, 1.0, *scales], np.float32),
        mode="linear",
        coordinate_transformation_mode="half_pixel",
    )
    # TopK is three times faster than ArgMax in OpenVINO; ONNX Runtime gets its own form when an engine is built.
    _, labels = write.multi_op("TopK", full, write.constant([1], np.int64), num_outputs=2, axis=1)
    labels = write.op("Squeeze", labels, write.constant([1], np.int64))
    return (write.op("Cast", labels, to=ir.DataType.UINT8.value),)
