"""Would it pay to merge a frame of a video by the matches of an earlier one, and what would it cost?

What it can gain at most: engines in which all matches are constants, beside the usual ones, in turns; random weights.
What it costs: the PyTorch model on frames of films, by their own matches and by those of the frame 1, 2 or 5 before.

    python -m benchmarks.measure.video_reuse                                  everything (an hour)
    python -m benchmarks.measure.video_reuse --part latency --arch b0         a part; it is merged into the record
    python -m benchmarks.measure.video_reuse --part accuracy --limit 8        a quick look; nothing is recorded
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.arguments import add_parts, make_parser
from benchmarks.measure.films import CAMVID_STEP, FILMS, PANNED_PX, Films
from benchmarks.measure.given_matches import give_matches
from benchmarks.recording import Row, record_rows
from benchmarks.section import Section, number_columns, text_columns
from segpp_deploy.config import Arch, Lowering, Preset, Size, parse_size
from segpp_deploy.data.label_maps import LabelMap
from segpp_deploy.data.scenes import generate_scene
from segpp_deploy.evaluation.latency import measure_interleaved
from segpp_deploy.graph.contract import INPUT_NAME
from segpp_deploy.graph.exporting.export import describe_graph
from segpp_deploy.graph.graph_file import GraphFile, read_graph
from segpp_deploy.model.dialects import Dialect
from segpp_deploy.model.plan import PRESETS
from segpp_deploy.model.segformer import ModelSpec, SegFormer
from segpp_deploy.model.weights.loading import load_source
from segpp_deploy.model.work import Part, network_kernels
from segpp_deploy.progress import no_progress
from segpp_deploy.report.numbers import format_agreement, format_percent
from segpp_deploy.report.tables import Table
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.registry import open_target
from segpp_deploy.runtimes.session import Session, SessionOptions
from segpp_deploy.runtimes.target import EngineSettings
from segpp_deploy.runtimes.torch.tensors import TorchTensors
from segpp_deploy.tasks.segmentation.agreement import PixelAgreement
from segpp_deploy.tasks.segmentation.pixel_counts import PixelCounts
from tests.support import camvid_data
from tests.support.exporting import PICTURE_TO_LABELS, export, request
from tests.support.random_models import random_model

LATENCY, ACCURACY = "latency", "accuracy"
ARCHS = (Arch.B0, Arch.B2, Arch.B5)
MODES = (Preset.FAST, Preset.FAST_PLUS, Preset.HQ_PLUS)
SIZES = ("360x480", "1024x1024")
TARGETS = (TargetName.CPU, TargetName.OPENVINO)
CLASSES = 19
ROUNDS = 45
USUAL, GIVEN = "usual", "given"
LEAST_AGREEMENT = 0.99
"""Of both engines on the picture whose matches are given: runtimes round, and a match near a tie is another one."""
LEAST_GAIN = 0.05
"""What reuse has to gain at most, for it to be worth a second engine and older matches."""
AGES = (1, 2, 5)
FACTS = {"least_gain": LEAST_GAIN, "rounds": ROUNDS, "camvid_step": CAMVID_STEP, "panned_px": PANNED_PX}
_LABELS = "upsample_argmax"


def main() -> int:
    """Measure, print, record row by row; 1 if an engine with given matches is another model, 2 without the data."""
    parser = make_parser(__doc__)
    add_parts(parser, part=(LATENCY, ACCURACY), arch=ARCHS, mode=MODES, size=SIZES, target=TARGETS, data=FILMS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--limit", type=int, help="use the first so many frames of films, and do not record")
    asked = parser.parse_args()
    if ACCURACY in asked.part and "camvid" in asked.data and (missing := camvid_data.explain_missing()):
        parser.error(missing)
    rows: list[Row] = []
    for row in _measure(asked):
        rows.append(row)
        if asked.rounds == ROUNDS and asked.limit is None:
            record_rows("video_reuse", [row], row_key, FACTS)
    SECTION.show(rows)
    return int(not all(row.get("passed", True) for row in rows))


def _measure(asked: argparse.Namespace) -> Iterator[Row]:
    modes = tuple(map(Preset, asked.mode))
    for arch, mode, size in product(asked.arch, modes, asked.size) if LATENCY in asked.part else ():
        print(arch, mode, size, file=sys.stderr)
        model = random_model(Dialect.MMSEG, Arch(arch), CLASSES)
        named = {"part": LATENCY, "arch": arch, "mode": str(mode), "size": size}
        targets = tuple(map(TargetName, asked.target))
        for row in measure_latencies(model, mode, parse_size(size), targets, asked.rounds):
            yield {**named, **row}
    for data, mode in product(asked.data, modes) if ACCURACY in asked.part else ():
        print(data, mode, file=sys.stderr)
        for row in measure_accuracies(FILMS[data], mode, asked.limit):
            yield {"part": ACCURACY, "data": data, "mode": str(mode), **row}


def measure_latencies(
    model: SegFormer, mode: Preset, size: Size, targets: Sequence[TargetName], rounds: int
) -> Iterator[Row]:
    """Yield a row for each target: the usual engine and the one with given matches, in turns."""
    with tempfile.TemporaryDirectory() as folder:
        graph = read_graph(export(model, mode, Path(folder) / "m.onnx", size, **PICTURE_TO_LABELS).path)
    picture = generate_scene(0, size).image[None]
    graphs = {USUAL: graph, GIVEN: replace(graph, model=give_matches(graph.model, {INPUT_NAME: picture}))}
    share = match_share(model.spec, mode, size)
    for target in targets:
        with ExitStack() as opened:
            sessions = {name: opened.enter_context(closing(_open(it, target))) for name, it in graphs.items()}
            labels = {name: session.run(picture) for name, session in sessions.items()}
            runs = {name: partial(session.run, picture) for name, session in sessions.items()}
            timed = measure_interleaved(runs, rounds, warmup=2)
        gain, spread = median_gain(timed.samples_ms[USUAL], timed.samples_ms[GIVEN])
        agreement = float((labels[USUAL] == labels[GIVEN]).mean())
        yield {
            "target": str(target),
            "match_share": share,
            **{f"{name}_ms": timed.stats(name).median for name in graphs},
            "gain": gain,
            "gain_spread": spread,
            "agreement": agreement,
            "passed": agreement >= LEAST_AGREEMENT,
        }


def median_gain(usual_ms: Sequence[float], given_ms: Sequence[float]) -> tuple[float, float]:
    """Return the median gain of the rounds, and how far it may be off: half the 95 % notch of a box plot.

    The notch is that of McGill, Tukey and Larsen, "Variations of Box Plots", 1978.

    Example:
        >>> median_gain([100, 100, 100, 100], [75, 75, 75, 75])
        (0.25, 0.0)
    """
    gains = 1 - np.divide(given_ms, usual_ms)
    lower, median, upper = np.percentile(gains, (25, 50, 75))
    return float(median), float(1.57 * (upper - lower) / np.sqrt(len(gains)))


def match_share(spec: ModelSpec, mode: Preset, size: Size) -> float:
    """Return the share of the network's operations that are spent on matching."""
    operations = dict.fromkeys(Part, 0)
    for kernel in network_kernels(spec, PRESETS[mode], size.hw, fused=False, lowering=Lowering.PORTABLE):
        operations[kernel.part] += kernel.tensor_operations + kernel.vector_operations
    return operations[Part.MATCH] / sum(operations.values())


def _open(graph: GraphFile, target: TargetName) -> Session:
    implementation, settings = open_target(target), EngineSettings()
    compiled = implementation.compile(graph, settings, no_progress)
    return implementation.load(compiled.data, graph.metadata, settings, SessionOptions())


@dataclass
class _Tally:
    """Labels by matches of another frame, beside those by the frame's own and the true ones."""

    num_classes: int
    agreement: PixelAgreement = field(default_factory=PixelAgreement)

    def __post_init__(self) -> None:
        self._older, self._own = PixelCounts(self.num_classes), PixelCounts(self.num_classes)

    def update(self, labels: LabelMap, own: LabelMap, truth: LabelMap) -> None:
        self.agreement.update(own, labels)
        self._older.update(labels, truth)
        self._own.update(own, truth)

    def row(self) -> Row:
        return {
            "frames": self._own.images,
            "agreement": self.agreement.fraction(),
            "own_miou": self._own.miou(),
            "miou": self._older.miou(),
        }


def measure_accuracies(films: Films, mode: Preset, limit: int | None) -> list[Row]:
    """Return a row for each age of matches.

    Args:
        films: what is looked at.
        mode: of the model.
        limit: look at the first so many frames of each film; None: at all.
    """
    torch = _load_model(films, mode)
    tallies = {age: _Tally(films.num_classes) for age in AGES}
    for film in films.make():
        before: deque[Mapping[str, NDArray[Any]]] = deque(maxlen=max(AGES))
        for frame in islice(film, limit):
            image = frame.image[None]
            found = torch.run(image, {_LABELS, *torch.matches})
            own = found.pop(_LABELS)[0]
            for age in AGES:
                if len(before) >= age:
                    labels = torch.run(image, {_LABELS}, before[-age])[_LABELS][0]
                    tallies[age].update(labels, own, frame.labels)
            before.append(found)
    return [{"age": age, **tally.row()} for age, tally in tallies.items()]


def _load_model(films: Films, mode: Preset) -> TorchTensors:
    source = load_source(films.source)
    asked = request(
        films.size, films.num_classes, classes=source.classes, normalization=source.normalization, **PICTURE_TO_LABELS
    )
    source.model.plan = PRESETS[mode]
    return TorchTensors(source.model, describe_graph(source.model.spec, source.model.plan, asked))


def row_key(row: Row) -> tuple[int, ...]:
    """Identify a row, in the order in which rows are listed."""
    if row["part"] == LATENCY:
        axes: dict[str, Sequence[Any]] = {"arch": ARCHS, "mode": MODES, "size": SIZES, "target": TARGETS}
        return 0, *(list(map(str, axis)).index(row[name]) for name, axis in axes.items())
    return 1, list(FILMS).index(row["data"]), MODES.index(row["mode"]), row["age"]


def make_tables(recorded: list[Row]) -> list[Table]:
    """What is gained, and what it costs."""
    timed = [
        (
            row["arch"].upper(),
            row["mode"],
            row["size"],
            row["target"],
            f"{100 * row['match_share']:.1f}",
            *(f"{row[f'{name}_ms']:.0f}" for name in (USUAL, GIVEN)),
            f"{100 * row['gain']:+.1f} ± {100 * row['gain_spread']:.1f}",
        )
        for row in recorded
        if row["part"] == LATENCY
    ]
    judged = [
        (
            row["data"],
            row["mode"],
            str(row["age"]),
            str(row["frames"]),
            format_agreement(row["agreement"]),
            format_percent(row["own_miou"]),
            format_percent(row["miou"]),
            f"{100 * (row['miou'] - row['own_miou']):+.2f}",
        )
        for row in recorded
        if row["part"] == ACCURACY
    ]
    gains = (
        *text_columns("model", "mode", "size", "target"),
        *number_columns("match, % of operations", "ms", "matches given, ms", "gain, %"),
    )
    costs = (
        *text_columns("frames of", "mode"),
        *number_columns("matches of frames before", "frames", "same labels", "mIoU", "by older matches", "Δ points"),
    )
    return [
        Table("What it gains at most", gains, tuple(timed)),
        Table("What older matches cost", costs, tuple(judged)),
    ]


SECTION = Section(
    "Matches of earlier frames",
    "Whether frames of a video could be merged by the matches of an earlier frame. What is gained at most is seen in "
    "engines in which all matches are constants, so that matching takes no time at all: median of {rounds} rounds in "
    "which both take turns, with its 95 % interval; batch 1, a scene in, labels out, random weights. The cost is that "
    "of the PyTorch model on CamVid's validation film (every second of 30 frames in a second) and on films of a camera "
    "that turns by {panned_px} pixels from frame to frame.",
    make_tables,
    ("torch", "onnxruntime", "openvino"),
    names_cpu_features=True,
)


if __name__ == "__main__":
    raise SystemExit(main())
