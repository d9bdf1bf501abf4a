"""The engine of runtimes that load ONNX: the graph itself, whole, under any file name."""

from __future__ import annotations

import onnx

from segpp_deploy.errors import SegppError

_PROTOBUF_LIMIT_BYTES = 2**31


def serialize_onnx(model: onnx.ModelProto) -> bytes:
    """Return a graph with all its weights inside.

    What the runtimes make of the graph when they load it (memory layouts, fusions) is not stored: it fits only the CPU
    it was made on, and making it anew takes about as long as reading it (B0: 0.1 s).

    Raises:
        SegppError: the graph does not fit into one ONNX file (2 GiB).
    """
    if model.ByteSize() >= _PROTOBUF_LIMIT_BYTES:
        raise SegppError(
            f"The graph with its weights takes {model.ByteSize() / 2**30:.1f} GiB.",
            "less than 2 GiB, the limit of one ONNX file.",
            "Use a smaller backbone.",
        )
    content: bytes = model.SerializeToString(deterministic=True)
    return content
