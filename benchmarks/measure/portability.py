"""Every portable graph in three runtimes: TensorRT-RTX builds it (no GPU needed), OpenVINO agrees with ONNX Runtime.

Uint8 pictures in, labels out, random weights. Agreement is the share of pixels with the same class in both runtimes,
both in float32, on one smooth random picture.

    python -m benchmarks.measure.portability                                      everything (half an hour)
    python -m benchmarks.measure.portability --arch b0 --mode hq --size 480x640    a part; it is merged into the record
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.graph_grid import GraphGrid
from benchmarks.recording import Row, record_rows
from benchmarks.section import Section, number_columns, text_columns
from benchmarks.toolchain.rtx_builder import RtxRefusedError, build_with_rtx
from segpp_deploy.config import Arch, InputKind, OutputKind, Precision, Preset, Size
from segpp_deploy.errors import SegppError
from segpp_deploy.model.segformer import SegFormer
from segpp_deploy.report.numbers import format_agreement
from segpp_deploy.report.tables import Table
from segpp_deploy.runtimes.onnxruntime.loader import LoadOptions, load_onnxruntime, run_onnxruntime
from segpp_deploy.runtimes.openvino.loader import load_openvino, run_openvino
from segpp_deploy.runtimes.target import EngineSettings
from segpp_deploy.tasks.segmentation.agreement import PixelAgreement
from tests.support.exporting import export, smooth_pictures, to_bytes

GRID = GraphGrid(
    archs=(Arch.B0, Arch.B2),
    modes=tuple(mode for mode in Preset if mode not in (Preset.HQ_REUSE, Preset.HQ_PLUS)),  # as fast-reuse, fast-plus
    sizes=("480x640", "1024x2048"),
)
LEAST_AGREEMENT = 0.999
COMPUTE_CAPABILITY = "8.9"


def main() -> int:
    """Measure, print, record after every graph; 1 if a runtime refuses or disagrees."""
    facts = {"least_agreement": LEAST_AGREEMENT, "compute_capability": COMPUTE_CAPABILITY}
    rows: list[Row] = []
    for row in GRID.measure(__doc__, measure):
        record_rows("portability", [row], GRID.row_key, facts)
        rows.append(row)
    SECTION.show(rows)
    return int(not all(row["passed"] for row in rows))


def measure(model: SegFormer, mode: Preset, size: Size, path: Path) -> Row:
    """Export one graph and try it in every runtime."""
    export(model, mode, path, size, input_kind=InputKind.UINT8, output_kind=OutputKind.LABELS)
    row: Row = {"arch": str(model.spec.arch), "mode": str(mode), "size": str(size), **try_rtx(path)}
    row |= try_openvino(path, size)
    row["passed"] = row["rtx_error"] is None and (row["openvino_agreement"] or 0) >= LEAST_AGREEMENT
    return row


def try_rtx(path: Path) -> Row:
    """Build with TensorRT-RTX."""
    try:
        build = build_with_rtx(path)
    except RtxRefusedError as error:
        return {"rtx_layers": None, "rtx_engine_bytes": None, "rtx_build_seconds": None, "rtx_error": str(error)}
    return {
        "rtx_layers": build.layers,
        "rtx_engine_bytes": build.engine_bytes,
        "rtx_build_seconds": round(build.seconds, 2),
        "rtx_error": None,
    }


def try_openvino(path: Path, size: Size) -> Row:
    """Compile with OpenVINO and compare its labels with ONNX Runtime's."""
    picture = to_bytes(smooth_pictures(size))
    expected = run_onnxruntime(load_onnxruntime(path, LoadOptions()), picture)[0]
    try:
        compiled = load_openvino(path, EngineSettings(Precision.FP32, threads=None))
        (found,) = run_openvino(compiled.create_infer_request(), picture)
    except SegppError as error:
        return {"openvino_agreement": None, "openvino_error": error.what}
    agreement = PixelAgreement()
    agreement.update(expected, found)
    return {
        "openvino_agreement": agreement.fraction(),
        "openvino_error": None,
        "classes_in_picture": len(np.unique(expected)),
    }


def make_tables(recorded: list[Row]) -> list[Table]:
    """A row per graph."""
    rows = [
        (
            row["arch"].upper(),
            row["mode"],
            row["size"],
            *rtx_cells(row),
            "refused" if row["openvino_agreement"] is None else format_agreement(row["openvino_agreement"]),
        )
        for row in recorded
    ]
    numbers = number_columns("TensorRT-RTX layers", "engine MB", "build s", "OpenVINO agrees with ONNX Runtime")
    return [Table("", (*text_columns("model", "mode", "size"), *numbers), tuple(rows))]


def rtx_cells(row: Row) -> tuple[str, str, str]:
    """Return the layers, megabytes and seconds of what `try_rtx` found."""
    if row["rtx_error"] is not None:
        return "refused", "", ""
    return str(row["rtx_layers"]), f"{row['rtx_engine_bytes'] / 1e6:.1f}", f"{row['rtx_build_seconds']:.1f}"


SECTION = Section(
    "One graph, three runtimes",
    "Portable graphs (uint8 pictures in, labels out, random weights) that TensorRT-RTX parses and builds for "
    "compute capability {compute_capability} without a GPU, and on which OpenVINO and ONNX Runtime agree, both in "
    "float32, for at least {least_agreement:.1%} of the pixels. What is not listed was not measured.",
    make_tables,
    ("onnx", "onnxruntime", "openvino", "tensorrt_rtx"),
)


if __name__ == "__main__":
    raise SystemExit(main())
