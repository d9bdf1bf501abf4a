"""bfloat16 of a float32 graph, as the fp16 recipe divides the work.

The encoder's convolutions, linear layers and attention compute in bfloat16. What only moves, adds or bends values takes
them as they come, and everything else (layer norms, matching and merging, the decode head) computes in float32.
"""

from __future__ import annotations

import torch

from segpp_deploy.graph.network_parts import NetworkPart, part_of
from segpp_deploy.runtimes.torch.fusions import Node
from segpp_deploy.runtimes.torch.operators import ATTENTION, LINEAR

_PRODUCTS = frozenset({"Conv", "MatMul", LINEAR, ATTENTION})
_ENCODER = frozenset({NetworkPart.PATCH_EMBEDDING, NetworkPart.ATTENTION, NetworkPart.FEED_FORWARD})
_INDIFFERENT = frozenset({"Add", "Concat", "Gelu", "Identity", "Reshape", "Slice", "Split", "Transpose", "Cast"})


def dtype_of_inputs(node: Node) -> torch.dtype | None:
    """Return what a node's floating inputs are brought to; None where they may have any type, and may differ."""
    if node.op_type in _PRODUCTS and part_of(node.name) in _ENCODER:
        return torch.bfloat16
    return None if node.op_type in _INDIFFERENT else torch.float32
