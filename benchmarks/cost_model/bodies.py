"""What the portable bodies of the custom ops consist of, counted in exported graphs.

python -m benchmarks.cost_model.bodies       export and count anew (a minute or two), into results/portable_bodies.json
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import onnx_ir as ir

from benchmarks.arguments import parse_parts
from benchmarks.recording import RESULTS
from segpp_deploy.config import Arch, Preset, Size
from segpp_deploy.files import write_text
from segpp_deploy.graph.exporting.export import build_graph
from segpp_deploy.model.arch import ARCH_SPECS
from segpp_deploy.model.plan import PRESETS
from segpp_deploy.model.segformer import ModelSpec, build_segformer
from segpp_deploy.ops.registry import DECLARATIONS
from segpp_deploy.report.json_report import to_json
from tests.support.exporting import request

RECORD = RESULTS / "portable_bodies.json"
SIZES = (Size(1024, 1024), Size(1024, 2048))
PRESETS_WITH_OPS = (Preset.HQ, Preset.FAST)
SMALL_TWIN = {Arch.B0: Arch.B0, Arch.B5: Arch.B1}
"""The smallest backbone with the same layers: only the number of layers differs, and a body belongs to one layer."""

STEMS = tuple(op.stem for op in DECLARATIONS.values())


@dataclass(frozen=True)
class Body:
    """One custom op in one layer of a stage (from 1), as standard nodes.

    Args:
        arch: whose widths.
        preset: the mode.
        size: of the image, HEIGHTxWIDTH.
        stage: from 1.
        stem: of the op.
        nodes: how many.
        bytes_moved: all inputs and outputs of all nodes, float32 as exported.
        matmul_operations: of the matrix products, a product and its sum are two.
    """

    arch: Arch
    preset: Preset
    size: str
    stage: int
    stem: str
    nodes: int
    bytes_moved: int
    matmul_operations: int


def count_bodies(arch: Arch, preset: Preset, size: Size) -> list[Body]:
    """Export one mode and return the body of each op in each stage.

    Raises:
        AssertionError: the layers of a stage differ, so that none could stand for all.
    """
    groups: dict[str, list[ir.Node]] = defaultdict(list)
    for node in export_graph(arch, preset, size).graph:
        prefix = (node.name or "").rpartition("/")[2].partition(".")[0]
        if prefix.startswith(STEMS):
            groups[prefix].append(node)
    bodies: dict[tuple[int, str], set[Body]] = defaultdict(set)
    for prefix, nodes in groups.items():
        stem = next(stem for stem in STEMS if prefix.startswith(stem))
        if stem == "upsample_argmax":
            continue
        stage = ARCH_SPECS[arch].widths.index(_channels(nodes)) + 1
        body = Body(arch, preset, str(size), stage, stem, len(nodes), _bytes(nodes), _matmul_operations(nodes))
        bodies[stage, stem].add(body)
    assert all(len(same) == 1 for same in bodies.values()), "layers of a stage differ"
    return [same.pop() for _, same in sorted(bodies.items())]


def export_graph(arch: Arch, preset: Preset, size: Size) -> ir.Model:
    """Return the portable graph of a mode at batch 1, with the layers of `arch` but as few as possible."""
    model = build_segformer(ModelSpec(SMALL_TWIN[arch], 19), PRESETS[preset]).eval()
    return build_graph(model, request(size, 19))[0]


def read_bodies() -> tuple[Body, ...]:
    """Return what was counted last."""
    rows = json.loads(RECORD.read_text(encoding="utf-8"))["bodies"]
    return tuple(Body(**{**row, "arch": Arch(row["arch"]), "preset": Preset(row["preset"])}) for row in rows)


def count_all() -> Iterator[Body]:
    """Count every combination."""
    for arch in SMALL_TWIN:
        for preset in PRESETS_WITH_OPS:
            for size in SIZES:
                yield from count_bodies(arch, preset, size)


def _channels(nodes: list[ir.Node]) -> int:
    """The last dimension of the tokens or rows [B, N, C] that come from outside."""
    inside = {value for node in nodes for value in node.outputs}
    values = (value for node in nodes for value in node.inputs if value is not None and value not in inside)
    tokens = next(
        value for value in values if value.dtype == ir.DataType.FLOAT and value.shape and len(value.shape) == 3
    )
    assert tokens.shape is not None
    return _static(tokens.shape[-1])


def _bytes(nodes: list[ir.Node]) -> int:
    return sum(_size(value) for node in nodes for value in (*node.inputs, *node.outputs) if value is not None)


def _size(value: ir.Value) -> int:
    assert value.shape is not None, value
    assert value.dtype is not None, value
    return math.prod(_static(side) for side in value.shape) * int(value.dtype.itemsize)


def _matmul_operations(nodes: list[ir.Node]) -> int:
    total = 0
    for node in nodes:
        if node.op_type == "MatMul":
            left, out = node.inputs[0], node.outputs[0]
            assert left is not None
            assert left.shape is not None
            assert out.shape is not None
            total += 2 * _static(left.shape[-1]) * math.prod(_static(side) for side in out.shape)
    return total


def _static(side: int | ir.SymbolicDim) -> int:
    assert isinstance(side, int), "the graph has a dynamic axis"
    return side


def main() -> None:
    """Count and record."""
    parse_parts(__doc__)
    write_text(RECORD, to_json({"bodies": [asdict(body) for body in count_all()]}) + "\n")


if __name__ == "__main__":
    main()
