"""Engines for TensorRT-RTX, built by `build-engine` without a GPU: do they build, and is the manifest right?

Uint8 pictures in, labels out, float32, random weights; for every GPU from Ampere on.

    python -m benchmarks.measure.rtx_engines                       everything (half an hour)
    python -m benchmarks.measure.rtx_engines --arch b0 --mode hq    a part; it is merged into the record
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.graph_grid import GraphGrid
from benchmarks.recording import Row, record_rows
from benchmarks.section import Section, number_columns, text_columns
from segpp_deploy.config import Arch, InputKind, OutputKind, Precision, Preset, Size
from segpp_deploy.engine.manifest import read_manifest
from segpp_deploy.errors import SegppError
from segpp_deploy.files import sha256_of
from segpp_deploy.model.segformer import SegFormer
from segpp_deploy.report.tables import Table
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.target import RuntimeFacts
from segpp_deploy.runtimes.tensorrt.api import import_tensorrt
from segpp_deploy.runtimes.tensorrt.capabilities import choose_capabilities
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.result import BuildResult
from segpp_deploy.workflows.build_engine.run import run_build
from tests.support.exporting import export

GRID = GraphGrid(
    archs=(Arch.B0, Arch.B2, Arch.B5),
    modes=(Preset.ORIGINAL, Preset.HQ, Preset.FAST, Preset.POOL_2X2),
    sizes=("1024x1024", "1024x2048"),
)


def main() -> int:
    """Build, print, record after every engine; 1 if one does not build or its manifest is wrong."""
    needs = expected_runtime()
    facts = {"compute_capabilities": ", ".join(needs.compute_capabilities), "precision": str(Precision.FP32)}
    rows: list[Row] = []
    for row in GRID.measure(__doc__, lambda model, mode, size, path: measure(model, mode, size, path.parent, needs)):
        record_rows("rtx_engines", [row], GRID.row_key, facts)
        rows.append(row)
    SECTION.show(rows)
    return int(not all(row["passed"] for row in rows))


def expected_runtime() -> RuntimeFacts:
    """Return what the engines' manifests have to say of their runtime."""
    trt = import_tensorrt(TargetName.TENSORRT_RTX)
    capabilities = choose_capabilities(trt, (), gpu=None)
    return RuntimeFacts(trt.info.module, trt.version, cuda=trt.cuda, compute_capabilities=capabilities)


def measure(model: SegFormer, mode: Preset, size: Size, folder: Path, needs: RuntimeFacts) -> Row:
    """Export one graph, build it, and compare the manifest with what was asked for and written."""
    row: Row = {"arch": str(model.spec.arch), "mode": str(mode), "size": str(size)}
    graph = folder / "m.onnx"
    export(model, mode, graph, size, input_kind=InputKind.UINT8, output_kind=OutputKind.LABELS)
    try:
        result = run_build(graph, folder / "m.engine", BuildOptions(TargetName.TENSORRT_RTX))
    except SegppError as error:
        return row | {"build_seconds": None, "engine_bytes": None, "error": error.what, "passed": False}
    wrong = find_mistakes(result, needs, graph, size)
    return row | {
        "build_seconds": result.manifest.build_seconds,
        "engine_bytes": result.manifest.size_bytes,
        "graph_bytes": graph.stat().st_size,
        "layer_types": result.manifest.layer_types,
        "error": "; ".join(wrong) or None,
        "passed": not wrong,
    }


def find_mistakes(result: BuildResult, needs: RuntimeFacts, graph: Path, size: Size) -> list[str]:
    """Return what the manifest beside an engine says wrongly."""
    manifest = read_manifest(result.path)
    formats = {name for types in manifest.layer_types.values() for name in types}
    claims = {
        "target": (manifest.target, TargetName.TENSORRT_RTX),
        "runtime": (manifest.runtime, needs),
        "precision": (manifest.precision, Precision.FP32),
        "layer types": (formats, {str(Precision.FP32)}),
        "source hash": (manifest.source_sha256, sha256_of(graph)),
        "engine hash": (manifest.engine_sha256, sha256_of(result.path)),
        "size": (manifest.size_bytes, result.path.stat().st_size),
        "input": (manifest.input.shape, (1, *size.hw, 3)),
        "output": (manifest.outputs[0].shape, (1, *size.hw)),
    }
    return [f"{name} is {found}, not {expected}" for name, (found, expected) in claims.items() if found != expected]


def make_tables(recorded: list[Row]) -> list[Table]:
    """A row per engine."""
    rows = [
        (
            row["arch"].upper(),
            row["mode"],
            row["size"],
            *_engine_cells(row),
            row["error"] or "right",
        )
        for row in recorded
    ]
    numbers = number_columns("build s", "graph MB", "engine MB", "convolutions", "matrix products")
    columns = (*text_columns("model", "mode", "size"), *numbers, *text_columns("manifest"))
    return [Table("", columns, tuple(rows))]


def _engine_cells(row: Row) -> tuple[str, ...]:
    if row["build_seconds"] is None:
        return "refused", "", "", "", ""
    sizes = (f"{row[kind] / 1e6:.1f}" for kind in ("graph_bytes", "engine_bytes"))
    counts = (str(sum(row["layer_types"][kind].values())) for kind in ("convolution", "matrix_multiply"))
    return f"{row['build_seconds']:.1f}", *sizes, *counts


SECTION = Section(
    "Engines for TensorRT-RTX",
    "Built by `build-engine --target tensorrt-rtx` on a machine without a GPU, for compute capabilities "
    "{compute_capabilities}: uint8 pictures in, labels out, {precision}, random weights. `right` means that the "
    "manifest names the runtime, the GPUs, the number formats read back from the network, and the hashes and "
    "shapes of what was built. No GPU has run these engines yet. The machine did other work at the same "
    "time, so the build times are upper bounds.",
    make_tables,
    ("onnx", "tensorrt_rtx"),
)


if __name__ == "__main__":
    raise SystemExit(main())
