"""Matching in every layer, in every second, once per stage, in a network with up to six layers a stage: cost and gain.

B2 grown from the CamVid weights and trained on (models/training/train_camvid.py --grow). Accuracy on the validation
split at 360x480, latency at 1024x1024, both of the same plans' engines; the plans of a target take turns.

    python -m benchmarks.measure.depth runs/segformer_b2_camvid.safetensors               (half an hour)
    python -m benchmarks.measure.depth runs/segformer_b2_camvid.safetensors --limit 3     a quick look; not recorded
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import yaml
from safetensors import safe_open

from benchmarks.arguments import make_parser
from benchmarks.recording import Row, record_rows
from benchmarks.section import Section, number_columns, text_columns
from segpp_deploy.config import Preset, Size
from segpp_deploy.files import write_text
from segpp_deploy.model.plan import PRESETS, Bsm, MergePlan, SideSpec, StageSpec
from segpp_deploy.model.plan_file import plan_to_dict
from segpp_deploy.model.weights.source import CheckpointSource
from segpp_deploy.report.numbers import format_agreement, format_percent
from segpp_deploy.report.tables import Table
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.workflows.bench.options import BenchOptions
from segpp_deploy.workflows.bench.run import run_bench
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from segpp_deploy.workflows.export.options import ExportOptions
from segpp_deploy.workflows.export.run import run_export
from segpp_deploy.workflows.validate.options import ValidateOptions
from segpp_deploy.workflows.validate.run import run_validate
from tests.support import camvid_data

JUDGED, TIMED = Size(360, 480), Size(1024, 1024)
BASES = (Preset.HQ, Preset.FAST)
EVERY = (1, 2, 3, 0)
"""In which layers matching is done anew: all, every second, every third, the first of the stage."""

TARGET = TargetName.OPENVINO
ITERATIONS = 8


def main() -> int:
    """Measure, print, record; 2 without the data."""
    parser = make_parser(__doc__)
    parser.add_argument("checkpoint", type=Path, help="weights of any depth trained on CamVid")
    parser.add_argument("--limit", type=int, help="use the first so many frames, and do not record")
    arguments = parser.parse_args()
    if missing := camvid_data.explain_missing_frames():
        parser.error(missing)
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(arguments.checkpoint, arguments.limit, Path(folder))
    if arguments.limit is None:
        facts = {"training": training_note(arguments.checkpoint), "target": str(TARGET)}
        record_rows("depth", rows, lambda row: [str(plan.name) for plan in plans()].index(row["plan"]), facts)
    SECTION.show(rows)
    return 0


def training_note(checkpoint: Path) -> str:
    """Return what a .safetensors file says of its training."""
    with safe_open(checkpoint, framework="pt") as weights:
        return str((weights.metadata() or {}).get("note", "training unknown"))


def plans() -> Iterator[MergePlan]:
    """`original`; then for each base the published plan and the weighted one with every way to match."""
    yield PRESETS[Preset.ORIGINAL]
    for base in BASES:
        yield PRESETS[base]
        for q_every in EVERY:
            yield weighted(PRESETS[base], q_every, kv_every=1)
        for kv_every in EVERY[1:]:
            yield weighted(PRESETS[base], 0, kv_every)


def weighted(base: MergePlan, q_every: int, kv_every: int) -> MergePlan:
    """Return a plan with weighted keys that matches each side so often."""
    stages = [StageSpec(_every(stage.q, q_every), _every(stage.kv, kv_every, weighted=True)) for stage in base.stages]
    first, second, third, fourth = stages
    return MergePlan(f"{base.name}-q{q_every}-kv{kv_every}", (first, second, third, fourth))


def _every(side: SideSpec, layers: int, weighted: bool = False) -> SideSpec:
    return replace(side, match_every=layers, weighted=weighted) if isinstance(side, Bsm) else side


def measure(checkpoint: Path, limit: int | None, folder: Path) -> list[Row]:
    """Judge every plan beside `original`, then time them in turns."""
    rows, timed = [], []
    data = f"camvid:{camvid_data.FRAMES}#val"
    original: Path | None = None
    for plan in plans():
        print(plan.name, file=sys.stderr)
        judged = make_engine(checkpoint, plan, JUDGED, folder)
        original = original or judged
        validation = run_validate(ValidateOptions(judged, data, limit, against=original))
        assert validation.reference is not None
        timed.append(make_engine(checkpoint, plan, TIMED, folder))
        rows.append(
            {
                "plan": plan.name,
                "images": validation.evaluation.samples,
                "miou": validation.evaluation.headline.value,
                "agreement_with_original": validation.reference.agreement[0].value,
            }
        )
    result = run_bench(BenchOptions(tuple(timed), iterations=ITERATIONS, warmup=1))
    for index, (row, timing) in enumerate(zip(rows, result.engines, strict=True)):
        latency = {"median_ms": timing.calls.latency_ms.median, "best_ms": timing.calls.latency_ms.min}
        row |= {**latency, "speedup": result.speedup(0, index)}
    return rows


def make_engine(checkpoint: Path, plan: MergePlan, size: Size, folder: Path) -> Path:
    """Export one plan at a size and build its engine."""
    graph = folder / f"{plan.name}-{size}.onnx"
    plan_file = folder / f"{plan.name}.yaml"
    write_text(plan_file, yaml.safe_dump(plan_to_dict(plan)))
    run_export(ExportOptions(graph, CheckpointSource(checkpoint), mode=str(plan_file), size=size))
    return run_build(graph, graph.with_suffix(".engine"), BuildOptions(TARGET)).path


def make_tables(recorded: list[Row]) -> list[Table]:
    """A row per plan."""
    rows = [
        (
            row["plan"],
            format_percent(row["miou"]),
            format_agreement(row["agreement_with_original"]),
            f"{row['median_ms']:.0f}",
            f"{row['best_ms']:.0f}",
            f"{row['speedup']:.2f}",
        )
        for row in recorded
    ]
    numbers = number_columns("mIoU", "pixels as `original`", "median ms", "best ms", "times original")
    return [Table("", (*text_columns("plan"), *numbers), tuple(rows))]


SECTION = Section(
    "Depth: how often to match",
    "B2 {training}; validated on CamVid's validation split at 360x480 and timed at 1024x1024 on `{target}` in "
    "float32, in turns. `-q2-kv1` is a plan with weighted keys that matches queries anew in every second layer of a "
    "stage and keys in every layer; 0 is once per stage. The encoder has 3, 4, 6 and 3 layers in its stages.",
    make_tables,
    ("torch", "onnx", "openvino"),
    names_cpu_features=True,
)


if __name__ == "__main__":
    raise SystemExit(main())
