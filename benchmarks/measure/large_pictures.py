"""Portable graphs of large pictures, up to 8192 pixels a side: TensorRT-RTX builds them, which needs no GPU.

Uint8 pictures in, labels out, random weights. The graphs are not run: in most modes a CPU runtime would need tens of
gigabytes for the attention scores.

    python -m benchmarks.measure.large_pictures                           everything (half an hour)
    python -m benchmarks.measure.large_pictures --mode hq --size 2160x3840    a part; it is merged into the record
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.graph_grid import GraphGrid
from benchmarks.measure.portability import COMPUTE_CAPABILITY, rtx_cells, try_rtx
from benchmarks.recording import Row, record_rows
from benchmarks.section import Section, number_columns, text_columns
from segpp_deploy.config import Arch, InputKind, OutputKind, Preset, Size
from segpp_deploy.model.arch import SPATIAL_REDUCTION, stage_grids
from segpp_deploy.model.plan import PRESETS, BsmMerge, backbone_size, count_sources, resolve_stage
from segpp_deploy.model.segformer import SegFormer
from segpp_deploy.report.tables import Table
from tests.support.exporting import export

GRID = GraphGrid(archs=(Arch.B0,), modes=tuple(Preset), sizes=("2160x3840", "4320x7680", "8192x8192"))


def main() -> int:
    """Build, print, record after every graph; 1 if one is refused."""
    facts = {"compute_capability": COMPUTE_CAPABILITY}
    rows: list[Row] = []
    for row in GRID.measure(__doc__, measure):
        record_rows("large_pictures", [row], GRID.row_key, facts)
        rows.append(row)
    SECTION.show(rows)
    return int(not all(row["passed"] for row in rows))


def measure(model: SegFormer, mode: Preset, size: Size, path: Path) -> Row:
    """Export one graph and build it."""
    export(model, mode, path, size, input_kind=InputKind.UINT8, output_kind=OutputKind.LABELS)
    row: Row = {"arch": str(model.spec.arch), "mode": str(mode), "size": str(size), "most_kept": most_kept(mode, size)}
    row |= {"graph_bytes": path.stat().st_size, **try_rtx(path)}
    row["passed"] = row["rtx_error"] is None
    return row


def most_kept(mode: Preset, size: Size) -> int:
    """Return the most sources that one matching keeps, 0 where nothing is matched."""
    plan = PRESETS[mode]
    grids = zip(plan.stages, stage_grids(*backbone_size(plan, size.hw)), SPATIAL_REDUCTION, strict=True)
    merges = [resolve_stage(spec, grid, reduction) for spec, grid, reduction in grids]
    sides = [side for merge in merges for side in (merge.q, merge.kv) if isinstance(side, BsmMerge)]
    return max((count_sources(side.grid_hw, side.stride_yx)[1] - side.num_removed for side in sides), default=0)


def make_tables(recorded: list[Row]) -> list[Table]:
    """A row per graph."""
    rows = [
        (
            row["arch"].upper(),
            row["mode"],
            row["size"],
            str(row["most_kept"]),
            f"{row['graph_bytes'] / 1e6:.1f}",
            *rtx_cells(row),
        )
        for row in recorded
    ]
    numbers = number_columns("most sources kept", "graph MB", "TensorRT-RTX layers", "engine MB", "build s")
    return [Table("", (*text_columns("model", "mode", "size"), *numbers), tuple(rows))]


SECTION = Section(
    "Large pictures",
    "Portable graphs (uint8 pictures in, labels out, random weights) that TensorRT-RTX parses and builds for "
    "compute capability {compute_capability} without a GPU. `most sources kept` is the largest selection that a "
    "matching makes; TensorRT takes no TopK beyond 3840. Nothing here was run. The machine did other work at the same "
    "time, so the build times are upper bounds.",
    make_tables,
    ("onnx", "tensorrt_rtx"),
)


if __name__ == "__main__":
    raise SystemExit(main())
