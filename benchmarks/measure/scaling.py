"""How latency and memory grow with the picture and with the batch, and from which size on merging pays.

Random weights in the dialect of the Hugging Face hub, uint8 pictures in, labels out, float32. The modes of one size
take turns, each in a process of its own.

    python -m benchmarks.measure.scaling                                     everything (half an hour)
    python -m benchmarks.measure.scaling --arch b0 --target openvino --size 512x512    a part; merged into the record

Besides the record it writes what `export` says about sizes where merging did not pay.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks.arguments import parse_parts
from benchmarks.recording import RESULTS, ROOT, Row, record_rows
from benchmarks.section import Section, number_columns, text_columns
from segpp_deploy.config import Arch, Preset, Size, parse_size
from segpp_deploy.files import write_text
from segpp_deploy.model.dialects import Dialect
from segpp_deploy.model.segformer import SegFormer
from segpp_deploy.report.charts import ChartLine, draw_lines
from segpp_deploy.report.tables import Table
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.workflows.bench.options import BenchOptions
from segpp_deploy.workflows.bench.run import run_bench
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from segpp_deploy.workflows.export.measured_gains import GAINS_FILE
from tests.support.exporting import PICTURE_TO_LABELS, export
from tests.support.random_models import random_model

ARCHS = {Arch.B0: 256, Arch.B5: 768}
"""Backbones and the width of their heads on the hub."""

TARGETS = (TargetName.CPU, TargetName.OPENVINO)
SIZES = ("128x128", "256x256", "512x512", "1024x1024", "1024x2048", "2160x3840")
BATCHES = (1, 2, 4)
BATCHED_SIZE = "512x512"
BASELINE = Preset.ORIGINAL
MODES = (BASELINE, Preset.HQ, Preset.HQ_PLUS, Preset.FAST, Preset.FAST_PLUS)
PAYS = 1.02
"""A mode pays where it is so many times faster than the baseline; less may be noise."""

_TURN_SECONDS = 12.0
_MOST_ROUNDS = 30
_LEAST_ROUNDS = 3
_LARGE_PIXELS = 2160 * 3840
_FULL_SCORES = (TargetName.CPU,)
"""Targets that hold all attention scores of a layer: `original` takes more memory than 16 GiB on large pictures."""

PLOT = ROOT / "docs/images/scaling.svg"


@dataclass(frozen=True)
class Cell:
    """What takes turns: one backbone, target, size and batch in all modes."""

    arch: Arch
    target: TargetName
    size: Size
    batch: int

    @property
    def modes(self) -> tuple[Preset, ...]:
        """The modes whose memory such a machine has."""
        is_large = self.size.height * self.size.width >= _LARGE_PIXELS
        return MODES[1:] if is_large and self.target in _FULL_SCORES else MODES


def main() -> int:
    """Measure, print, record after every size."""
    arguments = parse_parts(__doc__, arch=ARCHS, target=TARGETS, size=SIZES)
    rows: list[Row] = []
    for arch in map(Arch, arguments.arch):
        model = random_model(Dialect.HUGGING_FACE, arch, outputs=19, head_channels=ARCHS[arch])
        for cell in cells(arch, map(TargetName, arguments.target), arguments.size):
            print(cell, file=sys.stderr)
            with tempfile.TemporaryDirectory() as folder:
                rows += measure(model, cell, Path(folder))
            record_rows("scaling", rows[-len(cell.modes) :], row_key, {"baseline": str(BASELINE)})
    SECTION.show(rows)
    publish(json.loads((RESULTS / "scaling.json").read_text(encoding="utf-8"))["rows"])
    return 0


def cells(arch: Arch, targets: Iterable[TargetName], sizes: Iterable[str]) -> Iterator[Cell]:
    """Yield what is measured; B5 at the largest size would take minutes a call."""
    for target, size in product(targets, sizes):
        if size == SIZES[-1] and arch is not Arch.B0:
            continue
        for batch in BATCHES if size == BATCHED_SIZE and arch is Arch.B0 else BATCHES[:1]:
            yield Cell(arch, target, parse_size(size), batch)


def measure(model: SegFormer, cell: Cell, folder: Path) -> list[Row]:
    """Build an engine per mode and time them in turns; one after the other where the memory is that of one."""
    engines = {}
    for mode in cell.modes:
        graph = folder / f"{mode}.onnx"
        export(model, mode, graph, cell.size, batch=cell.batch, **PICTURE_TO_LABELS)
        engines[mode] = run_build(graph, graph.with_suffix(".engine"), BuildOptions(target=cell.target)).path
    if cell.modes[0] is BASELINE:
        return time_in_turns(cell, engines)
    return [row for mode, engine in engines.items() for row in time_in_turns(cell, {mode: engine})]


def time_in_turns(cell: Cell, engines: Mapping[Preset, Path]) -> list[Row]:
    """Time engines by mode that are loaded together; speed-ups are over the baseline, where that is one of them."""
    paths = tuple(engines.values())
    once = run_bench(BenchOptions(paths, iterations=1, warmup=1))
    seconds = sum(timing.calls.latency_ms.median for timing in once.engines) / 1e3
    rounds = int(min(max(_TURN_SECONDS / seconds, _LEAST_ROUNDS), _MOST_ROUNDS))
    result = run_bench(BenchOptions(paths, iterations=rounds, warmup=1))
    return [
        {
            "arch": str(cell.arch),
            "target": str(cell.target),
            "size": str(cell.size),
            "batch": cell.batch,
            "mode": str(mode),
            "median_ms": timing.calls.latency_ms.median,
            "best_ms": timing.calls.latency_ms.min,
            "rounds": rounds,
            "speedup": result.speedup(0, index) if BASELINE in engines else None,
            "peak_bytes": timing.peak_memory_bytes,
        }
        for index, (mode, timing) in enumerate(zip(engines, result.engines, strict=True))
    ]


def row_key(row: Row) -> tuple[int, ...]:
    """Identify a row, in the order in which rows are listed."""
    axes = ((list(ARCHS), "arch"), (TARGETS, "target"), (SIZES, "size"), (BATCHES, "batch"), (MODES, "mode"))
    return tuple(list(axis).index(row[name]) for axis, name in axes)


def pixels_of(row: Row) -> int:
    """Return the pixels of a picture."""
    size = parse_size(row["size"])
    return size.height * size.width


def series(rows: list[Row]) -> dict[tuple[str, str, str], list[Row]]:
    """Return the rows of batch 1 by (backbone, target, mode), by size."""
    found: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row["batch"] == 1:
            found[row["arch"], row["target"], row["mode"]].append(row)
    return {key: sorted(values, key=pixels_of) for key, values in found.items()}


def fit_exponent(rows: list[Row], value: str) -> float:
    """Return b of value = a * pixels^b by least squares of the logarithms, from 512x512 on.

    Smaller pictures take what every call and every process takes.
    """
    points = [(math.log(pixels_of(row)), math.log(row[value])) for row in rows if pixels_of(row) >= 512 * 512]
    if len(points) < 2:
        return math.nan
    x, y = np.array(points).T
    return float(np.polyfit(x, y, 1)[0])


def find_gains(rows: list[Row]) -> list[Row]:
    """Return for each series the largest size, in pixels, up to which the mode never paid; 0 where it always did."""
    gains = []
    for (arch, target, mode), listed in series(rows).items():
        compared = [row for row in listed if row["speedup"] is not None]
        if mode == BASELINE or not compared:
            continue
        paying = [pixels_of(row) for row in compared if row["speedup"] >= PAYS]
        first = min(paying, default=math.inf)
        useless = [row["size"] for row in compared if pixels_of(row) < first]
        gains.append({"arch": arch, "target": target, "mode": mode, "up_to": useless[-1] if useless else None})
    return gains


def publish(rows: list[Row]) -> None:
    """Write the plot, and what `export` says of small sizes."""
    document = json.loads((RESULTS / "scaling.json").read_text(encoding="utf-8"))
    machine = document["environment"]
    facts = {"machine": f"{machine['cpu']}, {machine['cpu_cores']} cores", "measured": document["measured"]}
    write_text(GAINS_FILE, json.dumps({**facts, "gains": find_gains(rows)}, indent=2) + "\n")
    lines = [
        ChartLine(mode, [(pixels_of(row) / 1e6, row["median_ms"]) for row in listed])
        for (arch, target, mode), listed in series(rows).items()
        if arch == Arch.B0 and target == TargetName.OPENVINO
    ]
    write_text(PLOT, draw_lines(lines, "megapixels", "milliseconds, B0 on OpenVINO") + "\n")


def make_tables(recorded: list[Row]) -> list[Table]:
    """Every size, then the exponents."""
    names = ("backbone", "target", "size", "mode")
    numbers = number_columns("batch", "median ms", "best ms", "times original", "peak MiB")
    rows = [
        (
            row["arch"].upper(),
            row["target"],
            row["size"],
            row["mode"],
            str(row["batch"]),
            f"{row['median_ms']:.1f}",
            f"{row['best_ms']:.1f}",
            f"{row['speedup']:.2f}" if row["speedup"] else "",
            f"{row['peak_bytes'] / 2**20:.0f}",
        )
        for row in recorded
    ]
    fitted = [
        (arch.upper(), target, mode, *(f"{fit_exponent(listed, value):.2f}" for value in ("median_ms", "peak_bytes")))
        for (arch, target, mode), listed in series(recorded).items()
    ]
    title = "Fitted exponents of the number of pixels, from 512x512 on"
    columns = (*text_columns("backbone", "target", "mode"), *number_columns("latency", "peak memory"))
    return [Table("", (*text_columns(*names), *numbers), tuple(rows)), Table(title, columns, tuple(fitted))]


SECTION = Section(
    "Scaling",
    "Engines with random weights (the hub's dialect, uint8 pictures in, labels out, float32); the modes of a size take "
    "turns, each in its own process, whose peak memory is given. `original` is left out where it would hold more than "
    "16 GiB of attention scores.\n\n![Latency of B0 on OpenVINO by picture size](images/scaling.svg)",
    make_tables,
    packages=("onnxruntime", "openvino"),
    names_cpu_features=True,
)


if __name__ == "__main__":
    raise SystemExit(main())
