"""segpp::TokenMatch in standard ops; `segpp_deploy.ops.token_match` defines what it computes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from segpp_deploy.ops.portable.writer import Matches, NodeWriter, PortableMatch, integer_attribute, required_input
from segpp_deploy.ops.token_match import NORM_EPSILON, destination_mask

Indices = npt.NDArray[np.intp]

MOST_SELECTED = 3840
"""The largest k of a TopK that TensorRT takes."""

_ABOVE_EVERY_COSINE = 2.0  # in every number format, and harmless to who looks at ranges, as infinity is not


def lower_token_match(write: NodeWriter, node: ir.Node, matches: Matches) -> tuple[ir.Value, ...]:
    """Write the body and return row_of_token [B, N] int64."""
    return (write_match(write, node, integer_attribute(node, "num_removed"), matches),)


def write_match(write: NodeWriter, node: ir.Node, num_removed: int, matches: Matches) -> ir.Value:
    """Return row_of_token [B, N] int64 of a node on tokens and their grid; remember it for the merges that use it.

    Nothing is sorted and nothing counted in the graph: which tokens are destinations is a constant, and only the few
    sources that stay are selected. Sources stand in descending token order, so that TopK's own tie rule (lowest index
    first) keeps the highest token and merges the lowest.
    """
    tokens = write.cast(required_input(node, 0), ir.DataType.FLOAT)
    grid = (integer_attribute(node, name) for name in ("grid_h", "grid_w", "stride_y", "stride_x"))
    is_destination = destination_mask(*grid).numpy()
    destinations = np.flatnonzero(is_destination)
    sources = np.flatnonzero(~is_destination)[::-1]

    best, nearest = _find_nearest(write, tokens, sources, destinations)
    num_kept = len(sources) - num_removed
    source_rows, kept_tokens = nearest, None
    if num_kept > 0:
        kept = _select_smallest(write, best, num_kept)
        kept_tokens = write.op("Gather", write.constant(sources, np.int64), kept, axis=0)
        kept_rows = _per_image(write, len(destinations) + np.arange(num_kept), like=kept)
        source_rows = write.op("ScatterElements", nearest, kept, kept_rows, axis=1)
    row_of_token = _in_token_order(write, source_rows, destinations, sources)
    row_of_token.dtype = ir.DataType.INT64  # the custom op's int32 would need casts: ONNX indices are int64
    matches[row_of_token] = PortableMatch(len(destinations), kept_tokens)
    return row_of_token


def _find_nearest(
    write: NodeWriter, tokens: ir.Value, sources: Indices, destinations: Indices
) -> tuple[ir.Value, ir.Value]:
    """Return each source's best cosine [B, S] and nearest destination [B, S] int64.

    Only the destinations are normalised before the product: a source's own norm does not change which one is best.
    """
    at_sources = write.op("Gather", tokens, write.constant(sources, np.int64), axis=1)
    at_destinations = write.op("Gather", tokens, write.constant(destinations, np.int64), axis=1)
    unit = write.op("Div", at_destinations, _norm(write, at_destinations))
    products = write.op("MatMul", at_sources, write.op("Transpose", unit, perm=[0, 2, 1]))
    # One TopK instead of ReduceMax and ArgMax: a single pass, and its tie rule (lowest index) is the op's.
    best, nearest = write.multi_op("TopK", products, write.constant([1], np.int64), num_outputs=2, axis=2)
    last = write.constant([-1], np.int64)
    cosine = write.op("Squeeze", write.op("Div", best, _norm(write, at_sources)), last)
    return cosine, write.op("Squeeze", nearest, last)


def _select_smallest(write: NodeWriter, cosines: ir.Value, count: int) -> ir.Value:
    """Return the indices [B, count] int64 of the smallest of `cosines` [B, S], the smallest first.

    No TopK selects more than `MOST_SELECTED`. What one has selected is raised above every cosine before the next, so
    all of them together select what a single one would, in its order and by the runtime's own tie rule: also where
    equal cosines lie on both sides of a border. A threshold instead would trust all runtimes to have the same rule.
    """
    passes: list[ir.Value] = []
    for start in range(0, count, MOST_SELECTED):
        size = write.constant([min(MOST_SELECTED, count - start)], np.int64)
        smallest, index = write.multi_op("TopK", cosines, size, num_outputs=2, axis=1, largest=0)
        passes.append(index)
        if start + MOST_SELECTED < count:
            raised = write.op("Max", smallest, write.constant(_ABOVE_EVERY_COSINE, np.float32))
            cosines = write.op("ScatterElements", cosines, index, raised, axis=1)
    return passes[0] if len(passes) == 1 else write.op("Concat", *passes, axis=1)


def _norm(write: NodeWriter, tokens: ir.Value) -> ir.Value:
    """[B, n, C] -> [B, n, 1], bounded away from zero so that a zero token is similar to nothing."""
    norm = write.op("ReduceL2", tokens, write.constant([-1], np.int64))
    return write.op("Max", norm, write.constant(NORM_EPSILON, np.float32))


def _in_token_order(write: NodeWriter, source_rows: ir.Value, destinations: Indices, sources: Indices) -> ir.Value:
    """Return [B, N]: row d for the d-th destination, `source_rows` for the sources, in token order."""
    first = write.op("Gather", source_rows, write.constant([0], np.int64), axis=1)
    destination_rows = _per_image(write, np.arange(len(destinations)), like=first)
    rows = write.op("Concat", destination_rows, source_rows, axis=1)
    order = np.argsort(np.concatenate([destinations, sources]))
    return write.op("Gather", rows, write.constant(order, np.int64), axis=1)


def _per_image(write: NodeWriter, row: Indices, like: ir.Value) -> ir.Value:
    """Repeat a constant row for every image of `like` [B, 1 or n]; broadcasting keeps a dynamic batch inferable."""
    zeros = write.op("Mul", like, write.constant(0, np.int64))
    return write.op("Add", zeros, write.constant(row[None], np.int64))
