"""What each rewrite for OpenVINO gains on this CPU, and what is left to gain with a library of custom ops.

1024x1024, batch 1, uint8 pictures in, labels out, random weights; the forms of one model and mode take turns in one
process. Every form is measured on every CPU, also where `build-engine` does not choose it.

    python -m benchmarks.measure.openvino_forms                                        everything (half an hour)
    python -m benchmarks.measure.openvino_forms --arch b0 --mode fast --rounds 3       a part; merged into the record
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir
from onnx_ir.passes import common as passes

from benchmarks.arguments import add_parts, make_parser
from benchmarks.recording import Row, record_rows
from benchmarks.section import Section, number_columns, text_columns
from segpp_deploy.config import Arch, Precision, Preset, Size
from segpp_deploy.data.scenes import generate_scene
from segpp_deploy.evaluation.latency import measure_interleaved
from segpp_deploy.graph.rewrites.channels_last import GridsChannelsLast
from segpp_deploy.graph.rewrites.labels_in_phases import LabelsInPhases
from segpp_deploy.graph.rewrites.linear_expansion import ExpandAsLinear
from segpp_deploy.graph.rewrites.row_sums import SumRowsInPlace
from segpp_deploy.model.dialects import Dialect
from segpp_deploy.report.tables import Table
from segpp_deploy.runtimes.openvino.loader import load_openvino, run_openvino
from segpp_deploy.runtimes.openvino.target import OpenVinoTarget
from segpp_deploy.runtimes.target import EngineSettings
from tests.support.exporting import PICTURE_TO_LABELS, export
from tests.support.random_models import random_model

SIZE = Size(1024, 1024)
CLASSES = 19
ARCHS = (Arch.B0, Arch.B5)
MODES = (Preset.ORIGINAL, Preset.HQ, Preset.HQ_PLUS, Preset.FAST, Preset.FAST_PLUS)
PRECISIONS = (Precision.FP32, Precision.BF16)
FORMS: dict[str, type[ir.passes.InPlacePass]] = {
    "as before": LabelsInPhases,
    "+ channels last": GridsChannelsLast,
    "+ sums in place": SumRowsInPlace,
    "+ linear expansion": ExpandAsLinear,
}
"""Each form adds a rewrite to those of the form above it."""
FLOAT32_ONLY = (SumRowsInPlace,)
LEAST_AGREEMENT = 0.999
ROUNDS = 7
PROFILED_RUNS = 3
MERGE_OPS = ("match", "merge", "unmerge")


def main() -> int:
    """Measure, print, record after every mode; 1 if a form's labels differ."""
    parser = make_parser(__doc__)
    add_parts(parser, arch=ARCHS, mode=MODES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    usable = OpenVinoTarget().usable_precisions()
    rows: list[Row] = []
    for arch in map(Arch, arguments.arch):
        model = random_model(Dialect.MMSEG, arch, CLASSES)
        for mode in map(Preset, arguments.mode):
            with tempfile.TemporaryDirectory() as folder:
                graph = onnx.load(export(model, mode, Path(folder) / "model.onnx", SIZE, **PICTURE_TO_LABELS).path)
            for precision in (precision for precision in PRECISIONS if precision in usable):
                print(arch, mode, precision, file=sys.stderr)
                named = {"arch": str(arch), "mode": str(mode), "precision": str(precision)}
                added = [{**named, **row} for row in measure(graph, precision, arguments.rounds)]
                rows += added
                record_rows("openvino_forms", added, row_key, {"size": str(SIZE), "rounds": arguments.rounds})
    SECTION.show(rows)
    return int(not all(row["passed"] for row in rows))


def measure(graph: onnx.ModelProto, precision: Precision, rounds: int) -> list[Row]:
    """Time all forms of a graph in turns, and profile each."""
    picture = generate_scene(0, SIZE).image[None]
    contents = make_forms(graph, precision)
    requests = {
        name: load_openvino(it, EngineSettings(precision)).create_infer_request() for name, it in contents.items()
    }
    labels = {name: run_openvino(request, picture)[0] for name, request in requests.items()}
    runs = {name: partial(run_openvino, request, picture) for name, request in requests.items()}
    timed = measure_interleaved(runs, rounds, warmup=1)
    first = next(iter(contents))
    rows = []
    for name, content in contents.items():
        agreement = float((labels[name] == labels[first]).mean())
        rows.append(
            {
                "form": name,
                "best_ms": timed.stats(name).min,
                "speedup": timed.speedup(first, name),
                "agreement": agreement,
                "shares": profile_shares(content, precision, picture),
                "passed": agreement >= LEAST_AGREEMENT,
            }
        )
    return rows


def make_forms(graph: onnx.ModelProto, precision: Precision) -> dict[str, bytes]:
    """Return the content of an engine of each form."""
    forms: dict[str, bytes] = {}
    steps: list[ir.passes.InPlacePass] = []
    for name, rewrite in FORMS.items():
        if rewrite in FLOAT32_ONLY and precision is not Precision.FP32:
            continue
        steps.append(rewrite())
        pipeline = ir.passes.Sequential(*steps, passes.RemoveUnusedNodesPass())
        forms[name] = ir.to_proto(pipeline(ir.from_proto(graph)).model).SerializeToString()
    return forms


def profile_shares(content: bytes, precision: Precision, picture: npt.NDArray[np.uint8]) -> dict[str, float]:
    """Return the shares of the time that matching, merging and unmerging take, and that of the match's product."""
    request = load_openvino(content, EngineSettings(precision), profile=True).create_infer_request()
    times: dict[str, float] = defaultdict(float)
    for _ in range(1 + PROFILED_RUNS):
        run_openvino(request, picture)
        for node in request.profiling_info:
            for part in parts_of(node.node_name.rpartition("/")[2]):
                times[part] += node.real_time.total_seconds()
    return {part: times[part] / times["all"] for part in (*MERGE_OPS, "match's product") if part in times}


def parts_of(node_name: str) -> list[str]:
    """Return what a node counts for.

    Example:
        >>> parts_of("token_match_3.MatMul_6"), parts_of("token_merge_with_size.Div_5"), parts_of("node_conv2d_1")
        (['all', 'match', "match's product"], ['all', 'merge'], ['all'])
    """
    parts = ["all", *(op for op in MERGE_OPS if node_name.startswith(f"token_{op}"))]
    return [*parts, "match's product"] if "match" in parts and ".MatMul" in node_name else parts


def row_key(row: Row) -> tuple[int, ...]:
    """Identify a row, in the order in which rows are listed."""
    axes = ((ARCHS, "arch"), (MODES, "mode"), (PRECISIONS, "precision"), (tuple(FORMS), "form"))
    return tuple(list(map(str, axis)).index(row[name]) for axis, name in axes)


def make_tables(recorded: list[Row]) -> list[Table]:
    """A row per form."""
    shares = (*MERGE_OPS, "match's product")
    rows = [
        (
            row["arch"].upper(),
            row["mode"],
            row["precision"],
            row["form"],
            f"{row['best_ms']:.0f}",
            f"{row['speedup']:.2f}",
            f"{100 * row['agreement']:.3f}",
            *(f"{100 * row['shares'].get(part, 0):.1f}" for part in shares),
        )
        for row in recorded
    ]
    numbers = number_columns(
        "best ms", "times as fast as before (median)", "same labels, %", *(f"{part}, % of the time" for part in shares)
    )
    return [Table("", (*text_columns("model", "mode", "precision", "form"), *numbers), tuple(rows))]


SECTION = Section(
    "Forms of a graph in OpenVINO",
    "{size}, batch 1, a scene in, labels out, random weights; {rounds} rounds in which the forms of a model and mode "
    "take turns. Each form adds a rewrite to the one above it; all are measured, also where `build-engine` chooses "
    "others: sums in place are for float32, the linear expansion for CPUs with AVX2 and without AVX-512. Shares are "
    "from profiles. A library of custom ops could gain what is left of match, merge and unmerge without the match's "
    "product, which would stay OpenVINO's.",
    make_tables,
    ("onnx", "openvino"),
    names_cpu_features=True,
)


if __name__ == "__main__":
    raise SystemExit(main())
