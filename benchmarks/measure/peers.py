"""How fast other tools run SegFormer on this CPU, and how fast this one does: a picture in, its labels out, batch 1.

Every variant runs in a process of its own and takes turns with the others and with the baseline (transformers' model
through `torch.onnx.export` on ONNX Runtime); as many at once as memory holds. The models have the form of transformers'
checkpoints and random weights. No speed is recorded of a variant whose labels are not those of PyTorch in float32, in
the same mode. bf16 is measured where the CPU has it; int8 is calibrated on CamVid's frames. optimum needs packages of
its own in runs/optimum; without them it is left out.

    python -m benchmarks.measure.peers                                              everything (most of a day)
    python -m benchmarks.measure.peers --arch b0 --size 1024x1024 --iterations 3    a part; it is merged into the record
    python -m benchmarks.measure.peers --resume                                     what the record lacks
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from importlib import metadata
from itertools import product
from pathlib import Path

from benchmarks.arguments import add_parts, make_parser
from benchmarks.peers.arithmetic import gflop, measure_peaks
from benchmarks.peers.runners import StepTimes
from benchmarks.peers.tables import DETAILED_SIZE, make_tables
from benchmarks.peers.transformers_model import CLASSES
from benchmarks.peers.variants import BASELINE, LEAST_AGREEMENT, OURS, VARIANTS, Case, Maker, Variant
from benchmarks.peers.worker import Worker, make_files
from benchmarks.peers.workshop import CALIBRATION_IMAGES, INSTALL_OPTIMUM, OPTIMUM
from benchmarks.recording import Machines, Row, record_rows, recorded_rows
from benchmarks.section import Section
from segpp_deploy.config import Arch, Precision, Preset, parse_size
from segpp_deploy.errors import one_line
from segpp_deploy.evaluation.environment import describe_environment
from segpp_deploy.evaluation.latency import take_turns
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.registry import open_target
from tests.support import camvid_data

ARCHS = (Arch.B0, Arch.B2, Arch.B5)
SIZES = ("512x512", "1024x1024", "1024x2048")
ITERATIONS = 7
WARMUP = 1
MEMORY_SHARE = 0.8
PEERS = ("transformers", "tomesd", "nncf")


def main() -> int:
    """Measure, print, record after every group; 1 if a variant of ours fails, 2 without the data."""
    parser = make_parser(__doc__)
    axes = {"precision": Precision, "mode": Preset, "maker": Maker}
    add_parts(parser, arch=ARCHS, size=SIZES, **axes)
    parser.add_argument("--iterations", type=int, default=ITERATIONS)
    parser.add_argument("--resume", action="store_true", help="leave out what is recorded already")
    arguments = parser.parse_args()
    if missing := camvid_data.explain_missing_frames():
        parser.error(missing)
    if not OPTIMUM.is_dir():
        print(f"optimum is left out; to measure it: {INSTALL_OPTIMUM}", file=sys.stderr)
    facts = {
        "classes": CLASSES,
        "least_agreement": {str(precision): share for precision, share in LEAST_AGREEMENT.items()},
        "calibration_images": CALIBRATION_IMAGES,
        "peers": {name: metadata.version(name) for name in PEERS},
    }
    known = {row_key(row) for row in recorded_rows("peers", facts)} if arguments.resume else set()
    usable = open_target(TargetName.OPENVINO).usable_precisions()
    variants = [variant for variant in VARIANTS if variant.precision in usable]
    rows: list[Row] = []
    for arch, size in product(map(Arch, arguments.arch), map(parse_size, arguments.size)):
        wanted = [
            Case(arch, size, variant)
            for variant in variants
            if all(getattr(variant, axis) in getattr(arguments, axis) for axis in axes)
            and (variant.maker is not Maker.OPTIMUM or OPTIMUM.is_dir())
        ]
        for group in measure([case for case in wanted if case_key(case) not in known], arguments.iterations):
            rows += group
            record_rows("peers", group, row_key, facts, machines=Machines.EACH)
    SECTION.show(rows)
    return int(not all(row.get("passed", True) for row in rows))


def measure(cases: Sequence[Case], iterations: int) -> Iterator[list[Row]]:
    """Yield rows of cases of one model and size, a group of variants that took turns at a time."""
    left = list(cases)
    with tempfile.TemporaryDirectory() as name:
        while left:
            with ExitStack() as stack:
                group = Group(stack, Path(name))
                group.add(Case(left[0].arch, left[0].size, BASELINE))
                group.add(left.pop(0))
                while left and group.has_room():
                    group.add(left.pop(0))
                yield group.measure(cases, iterations, measure_peaks({case.variant.precision for case in cases}))


@dataclass
class Group:
    """Variants that take turns, in workers that end with `stack`; the baseline is the first."""

    stack: ExitStack
    folder: Path
    workers: dict[Variant, Worker] = field(default_factory=dict)
    rows: dict[Variant, Row] = field(default_factory=dict)

    def add(self, case: Case) -> None:
        """Make, load and check a variant; one that fails or finds other labels gets a row that says so."""
        variant = case.variant
        if variant in self.rows:
            return
        print(case.arch, case.size, variant.name, file=sys.stderr)
        self.rows[variant] = row = describe(case)
        worker = self.stack.enter_context(closing(Worker(case, self.folder)))
        try:
            make_files(case, self.folder)
            row["agreement"] = worker.load()
        except Exception as error:  # whatever another tool raises ends no day of measuring
            row["error"] = f"{type(error).__name__}: {one_line(error)}"
        else:
            if row["agreement"] < LEAST_AGREEMENT[variant.precision]:
                row["error"] = f"{row['agreement']:.1%} of the labels are the reference's"
            else:
                self.workers[variant] = worker
        if "error" in row:
            print(row["error"], file=sys.stderr)
            worker.close()
        if variant.maker in OURS:
            row["passed"] = "error" not in row

    def has_room(self) -> bool:
        """Whether memory holds one more variant as large as the largest."""
        held = [worker.peak_bytes() for worker in self.workers.values()]
        most = describe_environment().memory_bytes or 0
        return sum(held) + max(held, default=0) < MEMORY_SHARE * most

    def measure(self, cases: Iterable[Case], iterations: int, peaks: dict[Precision, float]) -> list[Row]:
        """Let the variants take turns and return the rows of those that are among `cases`."""
        steps: dict[str, list[StepTimes]] = {variant.name: [] for variant in self.workers}

        def timer(variant: Variant) -> float:
            steps[variant.name].append(self.workers[variant].run())
            return steps[variant.name][-1].total_ms

        timers = {variant.name: (lambda variant=variant: timer(variant)) for variant in self.workers}
        measured = take_turns(timers, iterations, WARMUP)
        for variant, worker in self.workers.items():
            stats, timed = measured.stats(variant.name), steps[variant.name][WARMUP:]
            row = self.rows[variant]
            row |= {
                "iterations": iterations,
                "median_ms": stats.median,
                "best_ms": stats.min,
                "speedup": measured.speedup(BASELINE.name, variant.name),
                **{name: statistics.median(getattr(one, name) for one in timed) for name in STEPS},
                "gflop": gflop(worker.case),
                "peak_gflop_s": {str(precision): peak for precision, peak in peaks.items()},
                "peak_bytes": worker.peak_bytes(),
            }
            if variant.maker in OURS and row["size"] == DETAILED_SIZE:
                row["groups_ms"] = {str(group): spent for group, spent in worker.profile().items()}
        wanted = {case.variant for case in cases}
        return [row for variant, row in self.rows.items() if variant in wanted]


STEPS = ("before_ms", "model_ms", "after_ms")


def describe(case: Case) -> Row:
    """Return the part of a row that says what is measured."""
    variant = case.variant
    return {
        "arch": str(case.arch),
        "size": str(case.size),
        "maker": str(variant.maker),
        "precision": str(variant.precision),
        "mode": str(variant.mode),
    }


def case_key(case: Case) -> tuple[int, int, int]:
    """Identify a case, in the order in which rows are listed."""
    return ARCHS.index(case.arch), SIZES.index(str(case.size)), VARIANTS.index(case.variant)


def row_key(row: Row) -> tuple[int, int, int]:
    """Identify a row, in the order in which rows are listed."""
    variant = Variant(Maker(row["maker"]), Precision(row["precision"]), Preset(row["mode"]))
    return case_key(Case(Arch(row["arch"]), parse_size(row["size"]), variant))


SECTION = Section(
    "Beside other tools",
    "A picture (uint8) in, its label map out, batch 1, {classes} classes, random weights in the form of transformers' "
    "checkpoints; each variant in a process of its own, in turns with the others and with the baseline, "
    "`torch.onnx.export` on ONNX Runtime. The others' pictures are normalised and their logits upsampled and compared "
    "by PyTorch, as is usual; ours do that in the graph. Times are medians of the whole way; ratios are medians of "
    "each round's. Every variant that is listed with a time gives the labels of PyTorch in float32 in its mode, at "
    "least {least_agreement[fp32]:.0%} of them, in int8 {least_agreement[int8]:.0%}, which is also what NNCF's "
    "accuracy control was asked for. int8 was calibrated on {calibration_images} frames of CamVid, ours in every "
    "layer of the recipe. tomesd's matching stands around transformers' attention as the mode `fast` says. GFLOP "
    "count products and convolutions, two per multiply-accumulate, of what each computes; the peak is that of a large "
    "matrix product in the same minutes. Where OpenVINO joins the products of attention with what is between them, "
    "its profile counts their time as element by element, and the share of the peak says too much.",
    make_tables,
    ("torch", "onnxruntime", "openvino"),
    names_cpu_features=True,
    machines_apart=True,
)


if __name__ == "__main__":
    raise SystemExit(main())
