"""What Inductor would gain over engines of the target `torch`, which make one call after the other.

The same folded network in float32 on a CPU, three ways in turns: as an engine runs it, as PyTorch runs the module, and
compiled by Inductor, which is what AOTInductor would put into an engine file. Compiling needs a C++ compiler.

    python -m benchmarks.measure.torch_forms                    both modes (two minutes)
    python -m benchmarks.measure.torch_forms --mode original    a part; it is merged into the record
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from benchmarks.arguments import add_parts, make_parser
from benchmarks.recording import Row, record_rows
from benchmarks.section import Section, number_columns, text_columns
from segpp_deploy.config import Arch, Precision, Preset, Size, TorchDevice, parse_size
from segpp_deploy.evaluation.latency import measure_interleaved
from segpp_deploy.graph.contract import noise_images
from segpp_deploy.graph.exporting.deployable import Deployable
from segpp_deploy.graph.graph_file import read_graph
from segpp_deploy.model.folding import fold_model
from segpp_deploy.model.weights.source import SeedSource
from segpp_deploy.report.tables import Table
from segpp_deploy.runtimes.torch.program import TorchProgram
from segpp_deploy.runtimes.torch.reference import load_model_for
from segpp_deploy.workflows.export.options import ExportOptions
from segpp_deploy.workflows.export.run import run_export

ENGINE, MODULE, COMPILED = "engine", "module", "inductor"
TITLES = {ENGINE: "as an engine runs it", MODULE: "the module", COMPILED: "compiled by Inductor"}
MODES = (Preset.ORIGINAL, Preset.FAST)
SIZE = Size(512, 512)
ROUNDS = 20


def main() -> int:
    """Measure, print, record after every mode."""
    parser = make_parser(__doc__)
    add_parts(parser, mode=MODES)
    parser.add_argument("--size", type=parse_size, default=SIZE)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    facts = {"size": str(arguments.size), "rounds": arguments.rounds}
    rows: list[Row] = []
    for mode in map(Preset, arguments.mode):
        print(mode, file=sys.stderr)
        added = measure(mode, arguments.size, arguments.rounds)
        record_rows("torch_forms", added, row_key, facts)
        rows += added
    SECTION.show(rows)
    return 0


def measure(mode: Preset, size: Size, rounds: int) -> list[Row]:
    """Return a row for each form of B0 with random weights."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.onnx"
        run_export(ExportOptions(path, SeedSource(0, Arch.B0), mode=str(mode), size=size))
        graph = read_graph(path)
        model = fold_model(load_model_for(graph.metadata, None, path))
    module = Deployable.behind(graph.metadata, model).eval()
    program = TorchProgram(graph.model, TorchDevice.CPU, Precision.FP32)
    image = torch.from_numpy(noise_images(graph.metadata))
    forms: dict[str, Callable[[torch.Tensor], object]] = {
        ENGINE: program.run,
        MODULE: module,
        COMPILED: torch.compile(module),
    }
    with torch.inference_mode():
        timed = measure_interleaved({name: partial(form, image) for name, form in forms.items()}, rounds, warmup=3)
    return [
        {
            "mode": str(mode),
            "form": form,
            "best_ms": timed.stats(form).min,
            "median_ms": timed.stats(form).median,
            "speedup": timed.speedup(ENGINE, form),
        }
        for form in forms
    ]


def row_key(row: Row) -> tuple[int, int]:
    """Identify a row, in the order in which rows are listed."""
    return MODES.index(row["mode"]), tuple(TITLES).index(row["form"])


def make_tables(recorded: list[Row]) -> list[Table]:
    """A row per form."""
    rows = [
        (
            row["mode"],
            TITLES[row["form"]],
            f"{row['median_ms']:.1f}",
            f"{row['best_ms']:.1f}",
            f"{row['speedup']:.2f}",
        )
        for row in recorded
    ]
    numbers = number_columns("median ms", "best ms", "times as fast as the engine (median)")
    return [Table("", (*text_columns("mode", "run by PyTorch"), *numbers), tuple(rows))]


SECTION = Section(
    "Forms of a model in PyTorch",
    "B0 at {size}, batch 1, float32, random weights; {rounds} rounds in which the forms of a mode take turns. What "
    "Inductor compiles is what AOTInductor would put into an engine file.",
    make_tables,
    ("torch",),
    names_cpu_features=True,
)


if __name__ == "__main__":
    raise SystemExit(main())
