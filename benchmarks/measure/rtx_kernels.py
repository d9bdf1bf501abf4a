"""The kernels that TensorRT-RTX makes of our graphs, as its builder lists them on a machine without a GPU.

How many an engine launches and how many bytes they move decides what it can gain on a GPU, and whether attention is one
kernel is what others report trouble with. uint8 pictures in, labels out, random weights, compute capability 8.9. How
long any of them takes, only a GPU can tell.

    python -m benchmarks.measure.rtx_kernels                               everything (a quarter of an hour)
    python -m benchmarks.measure.rtx_kernels --arch b0 --size 512x512      a part; it is merged into the record
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import onnx
import onnx_ir as ir

from benchmarks.graph_grid import GraphGrid
from benchmarks.recording import Row, record_rows
from benchmarks.section import Section, number_columns, text_columns
from benchmarks.toolchain.rtx_builder import read_kernels
from segpp_deploy.config import Arch, Precision, Preset, Size
from segpp_deploy.graph.network_parts import NetworkPart, RuntimeNode, parts_in_order
from segpp_deploy.graph.precision.half import to_fp16
from segpp_deploy.graph.rewrites.tensorrt import rewrite_for_tensorrt
from segpp_deploy.model.arch import ARCH_SPECS
from segpp_deploy.model.segformer import SegFormer
from segpp_deploy.report.tables import Table
from tests.support.exporting import PICTURE_TO_LABELS, export

GRID = GraphGrid(
    archs=(Arch.B0, Arch.B5),
    modes=(Preset.ORIGINAL, Preset.HQ_PLUS, Preset.FAST, Preset.FAST_PLUS),
    sizes=("512x512", "1024x1024"),
)
PRECISIONS = (Precision.FP32, Precision.FP16)
FUSED = "_gemm_mha"
"""How the tactics begin that compute scores, softmax and sums in one kernel."""


def main() -> int:
    """Build, print, record after every graph; 1 if attention in fp16 is in pieces."""
    rows: list[Row] = []
    for row in GRID.measure(__doc__, measure):
        record_rows("rtx_kernels", [row], GRID.row_key, {})
        rows.append(row)
    SECTION.show(rows)
    return int(not all(row["passed"] for row in rows))


def measure(model: SegFormer, mode: Preset, size: Size, path: Path) -> Row:
    """Return what an exported graph becomes in each precision."""
    export(model, mode, path, size, **PICTURE_TO_LABELS)
    row: Row = {
        "arch": str(model.spec.arch),
        "mode": str(mode),
        "size": str(size),
        "attentions": sum(ARCH_SPECS[model.spec.arch].depths),
    }
    for precision in PRECISIONS:
        if precision is Precision.FP16:
            onnx.save(ir.to_proto(to_fp16(ir.from_proto(onnx.load(path))).model), path)
        row[str(precision)] = describe(path)
    row["passed"] = row[str(Precision.FP16)]["fused"] == row["attentions"]
    return row


def describe(path: Path) -> Row:
    """Return counts and bytes of the kernels of a graph in the form that `build-engine` gives it."""
    onnx.save(rewrite_for_tensorrt(onnx.load(path)), path)
    kernels = read_kernels(path)
    parts = parts_in_order([RuntimeNode(kernel.nodes) for kernel in kernels])
    moved = Counter[NetworkPart]()
    for part, kernel in zip(parts, kernels, strict=True):
        moved[part] += kernel.moved_bytes
    return {
        "kernels": len(kernels),
        "fused": sum(kernel.tactic.startswith(FUSED) for kernel in kernels),
        "moved_bytes": moved.total(),
        "kernels_by_part": {str(part): count for part, count in Counter(parts).items()},
        "moved_by_part": {str(part): count for part, count in moved.items()},
        "tactics": dict(Counter(kernel.tactic for kernel in kernels).most_common(12)),
    }


def make_tables(recorded: list[Row]) -> list[Table]:
    """A row per graph and precision, then the same by part."""
    wholes, by_part = [], []
    for row in recorded:
        for precision in map(str, PRECISIONS):
            found, named = row[precision], (row["arch"].upper(), row["size"], row["mode"], precision)
            fused = f"{found['fused']} of {row['attentions']}"
            wholes.append((*named, str(found["kernels"]), fused, f"{found['moved_bytes'] / 1e6:.0f}"))
            shares = (
                f"{found['kernels_by_part'].get(str(part), 0)}, {found['moved_by_part'].get(str(part), 0) / 1e6:.0f}"
                for part in NetworkPart
            )
            by_part.append((*named, *shares))
    names = text_columns("backbone", "size", "mode", "computes in")
    numbers = number_columns("kernels", "fused attentions", "MB moved")
    title = "Kernels and MB moved, by part of the network"
    return [
        Table("", (*names, *numbers), tuple(wholes)),
        Table(title, (*names, *number_columns(*map(str, NetworkPart))), tuple(by_part)),
    ]


SECTION = Section(
    "What TensorRT-RTX makes of the graphs",
    "Kernels of an engine for compute capability 8.9, as the builder lists them on a machine without a GPU, and the "
    "bytes of the tensors that they read and write. uint8 pictures in, labels out, random weights, portable graphs. An "
    "attention is fused where one kernel computes scores, softmax and sums, so that the scores are never in memory.",
    make_tables,
    ("onnx", "tensorrt_rtx"),
)


if __name__ == "__main__":
    raise SystemExit(main())
