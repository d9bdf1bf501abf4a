"""Every portable graph in fp16 and int8 through TensorRT-RTX (no GPU needed), with the types read back.

Uint8 pictures in, labels out, random weights. int8 stands on float32 (`int8`) and on fp16 (`int8-fp16`); its ranges are
arbitrary, because neither parsing nor building depends on them.

    python -m benchmarks.measure.precision_portability                       everything (an hour)
    python -m benchmarks.measure.precision_portability --arch b0 --mode hq    a part; it is merged into the record
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from itertools import product
from pathlib import Path

import onnx
import onnx_ir as ir

from benchmarks.arguments import parse_parts
from benchmarks.measure.portability import rtx_cells
from benchmarks.recording import Row, record_rows
from benchmarks.section import Section, number_columns, text_columns
from benchmarks.toolchain.rtx_builder import RtxRefusedError, build_with_rtx, read_network
from segpp_deploy.config import Arch, InputKind, OutputKind, Preset, Size
from segpp_deploy.graph.precision.half import to_fp16
from segpp_deploy.graph.precision.layers import find_layers
from segpp_deploy.graph.precision.qdq import quantize
from segpp_deploy.model.dialects import Dialect
from segpp_deploy.report.tables import Table
from tests.support.exporting import export
from tests.support.random_models import random_model

ARCHS = (Arch.B0, Arch.B2)
MODES = tuple(Preset)
PRECISIONS = ("fp16", "int8", "int8-fp16")
SIZE = Size(1024, 1024)
CLASSES = 19
COMPUTE_CAPABILITY = "8.9"
ANY_RANGE = 4.0


def main() -> int:
    """Build, print, record after every graph; 1 if TensorRT-RTX refuses one or reads other types."""
    arguments = parse_parts(__doc__, arch=ARCHS, mode=MODES, precision=PRECISIONS)
    facts = {"size": str(SIZE), "compute_capability": COMPUTE_CAPABILITY}
    rows: list[Row] = []
    for arch, mode in product(map(Arch, arguments.arch), map(Preset, arguments.mode)):
        with tempfile.TemporaryDirectory() as folder:
            single = Path(folder) / "fp32.onnx"
            model = random_model(Dialect.MMSEG, arch, outputs=CLASSES)
            export(model, mode, single, SIZE, input_kind=InputKind.UINT8, output_kind=OutputKind.LABELS)
            for precision in arguments.precision:
                print(arch, mode, precision, file=sys.stderr)
                row: Row = {"arch": str(arch), "mode": str(mode), "precision": precision}
                rows.append(row | try_rtx(single, precision, Path(folder) / "graph.onnx"))
                record_rows("precision_portability", rows[-1:], row_key, facts)
    SECTION.show(rows)
    return int(not all(row["passed"] for row in rows))


def try_rtx(single: Path, precision: str, path: Path) -> Row:
    """Rewrite, build, and compare the types of layers with those that TensorRT-RTX read."""
    graph = rewrite(ir.load(single), precision)
    onnx.save(ir.to_proto(graph), str(path))
    try:
        build = build_with_rtx(path)
    except RtxRefusedError as error:
        return {"rtx_error": str(error), "passed": False}
    return {
        "rtx_error": None,
        "rtx_layers": build.layers,
        "rtx_engine_bytes": build.engine_bytes,
        "rtx_build_seconds": round(build.seconds, 2),
        **count_types(graph, path),
    }


def rewrite(graph: ir.Model, precision: str) -> ir.Model:
    """Return the float32 graph in another precision."""
    ranges = {value.name or "": ANY_RANGE for node in graph.graph for value in node.outputs}
    if precision != "int8":
        to_fp16(graph)
    if precision != "fp16":
        quantize(graph, ranges)
    return graph


def count_types(graph: ir.Model, path: Path) -> Row:
    """Count layers by the type that TensorRT-RTX computes them in; quantised ones read dequantised int8."""
    names = {ir.DataType.FLOAT: "FLOAT", ir.DataType.FLOAT16: "HALF"}
    parsed = {layer.name: layer for layer in read_network(path)}
    counts: Counter[str] = Counter()
    agrees = True
    for layer in find_layers(graph):
        expected = names[layer.dtype or ir.DataType.UNDEFINED]
        agrees &= parsed[layer.node.name or ""].makes == (expected,)
        counts["int8" if not layer.weight.is_initializer() else "fp16" if expected == "HALF" else "fp32"] += 1
    quantised = sum(layer.kind == "QUANTIZE" and layer.makes == ("INT8",) for layer in parsed.values())
    layers = {f"{name}_layers": counts[name] for name in ("int8", "fp16", "fp32")}
    return {**layers, "quantised_tensors": quantised, "passed": agrees}


def row_key(row: Row) -> tuple[int, ...]:
    """Identify a row, in the order in which rows are listed."""
    return ARCHS.index(row["arch"]), MODES.index(row["mode"]), PRECISIONS.index(row["precision"])


def make_tables(recorded: list[Row]) -> list[Table]:
    """A row per graph."""
    rows = [(row["arch"].upper(), row["mode"], row["precision"], *_precision_cells(row)) for row in recorded]
    headings = ("TensorRT-RTX layers", "engine MB", "build s", "in int8", "in fp16", "in fp32", "tensors in int8")
    return [Table("", (*text_columns("model", "mode", "precision"), *number_columns(*headings)), tuple(rows))]


def _precision_cells(row: Row) -> tuple[str, ...]:
    counted = ("int8_layers", "fp16_layers", "fp32_layers", "quantised_tensors")
    counts = ("",) * len(counted) if row["rtx_error"] else tuple(str(row[name]) for name in counted)
    return *rtx_cells(row), *counts


SECTION = Section(
    "fp16 and int8 in TensorRT",
    "Portable graphs (uint8 pictures in, labels out, random weights) at {size} that TensorRT-RTX parses and builds "
    "for compute capability {compute_capability} without a GPU, strongly typed: `int8` over float32, `int8-fp16` "
    "over fp16. Convolutions and linear layers are counted by the type that was read back from TensorRT's network. "
    "What is not listed was not measured.",
    make_tables,
    ("onnx", "tensorrt_rtx"),
)


if __name__ == "__main__":
    raise SystemExit(main())
