"""How much faster than a plain export: folding and merging on ONNX Runtime, float32, 1024x1024, batch 1.

Each group has one baseline, a plain `torch.onnx.export` of the unfolded original, measured in one process with all
alternatives taking turns. Every graph takes a normalised float image and returns logits, so all do the same work; the
folded original must also give the baseline's logits. The weights are seeded and random: they do not change the time.

    python -m benchmarks.measure.cpu_ratios [--groups b0 b0-transformers b5] [--rounds 7]
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import nn

from benchmarks.arguments import make_parser
from benchmarks.modes import COMPARED_MODES
from benchmarks.peers.transformers_model import CLASSES, Transformers
from benchmarks.recording import Row, record
from benchmarks.section import Section, number_columns, text_columns
from segpp_deploy.config import Arch, InputKind, Lowering, Normalization, OutputKind, Preset, Size, default_class_table
from segpp_deploy.evaluation.latency import measure_interleaved
from segpp_deploy.graph.exporting.export import GraphOptions, export_graph
from segpp_deploy.model.arch import LayerNormEps
from segpp_deploy.model.plan import PRESETS
from segpp_deploy.model.segformer import ModelSpec, SegFormer, build_segformer
from segpp_deploy.report.tables import Table

SIZE = Size(1024, 1024)
BASELINE = "plain export"


@dataclass(frozen=True)
class Group:
    """A model, its baseline and the ratios it has to reach."""

    title: str
    spec: ModelSpec
    plain: Callable[[SegFormer], nn.Module]
    bars: dict[Preset, float]


GROUPS = {
    "b0": Group(
        "B0, 256-channel head with batch norm",
        ModelSpec(Arch.B0, CLASSES),
        lambda model: model,
        {Preset.ORIGINAL: 1.15, Preset.HQ: 1.45, Preset.FAST: 1.9},
    ),
    "b0-transformers": Group(
        "B0, against transformers' SegFormer-B0",
        ModelSpec(Arch.B0, CLASSES, normalised_stages=False, norm_eps=LayerNormEps(1e-5, 1e-5)),
        Transformers,
        {Preset.ORIGINAL: 1.5, Preset.HQ: 1.85, Preset.FAST: 2.3},
    ),
    "b5": Group(
        "B5, 768-channel linear head",
        ModelSpec(Arch.B5, CLASSES, head_channels=768, normalised_stages=False),
        lambda model: model,
        {Preset.ORIGINAL: 1.15, Preset.HQ: 1.35, Preset.FAST: 1.6},
    ),
}


def main() -> int:
    """Measure, print, record; 1 if a bar is missed."""
    parser = make_parser(__doc__)
    parser.add_argument("--groups", nargs="+", choices=GROUPS, default=list(GROUPS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=0, help="0: one per physical core")
    arguments = parser.parse_args()
    rows: list[Row] = []
    for name in arguments.groups:
        with tempfile.TemporaryDirectory() as folder:
            rows += measure(name, GROUPS[name], Path(folder), arguments.rounds, arguments.threads)
    SECTION.show(rows)
    record("cpu_ratios", {"size": str(SIZE), "rounds": arguments.rounds, "threads": arguments.threads, "rows": rows})
    return int(any(row["bar"] and row["ratio_median"] < row["bar"] for row in rows))


def measure(name: str, group: Group, folder: Path, rounds: int, threads: int) -> list[Row]:
    """Export and time one group; a row per alternative."""
    image = np.random.default_rng(0).standard_normal((1, 3, *SIZE.hw), dtype=np.float32)
    sessions = {label: load(path, threads) for label, path in export_all(group, folder).items()}
    check_equal(sessions, image)
    runs = {label: lambda session=session: run(session, image) for label, session in sessions.items()}
    print(f"{group.title}: {rounds} rounds of {len(runs)} alternatives", file=sys.stderr)
    measured = measure_interleaved(runs, rounds, warmup=1)
    baseline = measured.stats(BASELINE)
    rows = []
    for label in runs:
        stats = measured.stats(label)
        rows.append(
            {
                "group": name,
                "model": group.title,
                "variant": label,
                "best_ms": stats.min,
                "median_ms": stats.median,
                "ratio_best": baseline.min / stats.min,
                "ratio_median": measured.speedup(BASELINE, label),
                "bar": {str(mode): bar for mode, bar in group.bars.items()}.get(label),
                "samples_ms": list(measured.samples_ms[label]),
            }
        )
    return rows


def export_all(group: Group, folder: Path) -> dict[str, Path]:
    """Write the baseline and every mode; return the files by label."""
    torch.manual_seed(0)
    model = build_segformer(group.spec)
    paths = {BASELINE: folder / "plain.onnx"}
    export_plainly(group.plain(model), paths[BASELINE])
    for mode in COMPARED_MODES:
        model.plan = PRESETS[mode]
        paths[str(mode)] = export_graph(model, request(), folder / f"{mode}.onnx").path
    return paths


def export_plainly(model: nn.Module, path: Path) -> None:
    """What a user without this tool does."""
    torch.onnx.export(model, (torch.zeros(1, 3, *SIZE.hw),), path, dynamo=True, input_names=["image"], verbose=False)


def request() -> GraphOptions:
    """Float image to logits, as the plain export."""
    return GraphOptions(
        size=SIZE,
        batch=1,
        input_kind=InputKind.FLOAT,
        output_kind=OutputKind.LOGITS,
        lowering=Lowering.PORTABLE,
        classes=default_class_table(CLASSES),
        normalization=Normalization(),
        checkpoint="random weights, seed 0",
        checkpoint_sha256="",
    )


def load(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """Load with ONNX Runtime's default settings, the same for every alternative."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run(session: onnxruntime.InferenceSession, image: Any) -> Any:
    """One call."""
    return session.run(None, {"image": image})[0]


def check_equal(sessions: dict[str, onnxruntime.InferenceSession], image: Any) -> None:
    """The folded original computes the baseline's function, or the comparison means nothing."""
    expected = run(sessions[BASELINE], image)
    error = np.abs(run(sessions[str(Preset.ORIGINAL)], image) - expected).max() / np.ptp(expected)
    assert error < 1e-5, f"folded original differs from the baseline by {error:.1e} of its range"


def make_tables(recorded: list[Row]) -> list[Table]:
    """A table per model; the first row of each is the baseline."""
    by_model = defaultdict(list)
    for row in recorded:
        cells = (
            row["variant"],
            f"{row['best_ms']:.0f}",
            f"{row['median_ms']:.0f}",
            f"{row['ratio_best']:.2f}",
            f"{row['ratio_median']:.2f}",
            "" if row["bar"] is None else f"{row['bar']:.2f}",
        )
        by_model[row["model"]].append(cells)
    numbers = number_columns("best ms", "median ms", "times as fast (best)", "(median)", "at least")
    columns = (*text_columns("variant"), *numbers)
    return [Table(model, columns, tuple(rows)) for model, rows in by_model.items()]


SECTION = Section(
    "Speed against a plain export",
    "How many times as fast as a plain `torch.onnx.export` of the unfolded model in mode `original`: ONNX Runtime, "
    "float32, {size}, batch 1; normalised float pictures in, logits out; {rounds} rounds in which all variants "
    "take turns. Ratios of the best times, and the median of each round's ratio; the bar is for the latter.",
    make_tables,
    ("torch", "onnx", "onnxruntime"),
)


if __name__ == "__main__":
    raise SystemExit(main())
