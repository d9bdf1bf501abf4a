"""What Inductor would gain over engines of the target `torch`, which make one call after the other.

The same folded network in float32 on a CPU, three ways in turns: as an engine runs it, as PyTorch runs the module, and
compiled by Inductor, which is what AOTInductor would put into an engine file. Compiling needs a C++ compiler.

    python -m benchmarks.measure.torch_forms
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from benchmarks.arguments import add_parts, make_parser
from benchmarks.recording import Row
from segpp_deploy.config import Arch, Precision, Preset, Size, TorchDevice, parse_size
from segpp_deploy.evaluation.latency import measure_interleaved
from segpp_deploy.graph.contract import noise_images
from segpp_deploy.graph.exporting.deployable import Deployable
from segpp_deploy.graph.graph_file import read_graph
from segpp_deploy.model.folding import fold_model
from segpp_deploy.model.weights.source import SeedSource
from segpp_deploy.runtimes.torch.program import TorchProgram
from segpp_deploy.runtimes.torch.reference import load_model_for
from segpp_deploy.workflows.export.options import ExportOptions
from segpp_deploy.workflows.export.run import run_export

ENGINE, MODULE, COMPILED = "engine", "module", "inductor"


def main() -> int:
    """Measure and print one JSON document per mode."""
    parser = make_parser(__doc__)
    add_parts(parser, mode=(Preset.ORIGINAL, Preset.FAST))
    parser.add_argument("--size", type=parse_size, default=Size(512, 512))
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    for mode in map(Preset, arguments.mode):
        print(json.dumps(measure(mode, arguments.size, arguments.rounds)), flush=True)
    return 0


def measure(mode: Preset, size: Size, rounds: int) -> Row:
    """Return the median times of B0 with random weights, and how many times as fast as the engine the others are."""
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
    return {
        "mode": str(mode),
        "size": str(size),
        "median_ms": {name: round(timed.stats(name).median, 2) for name in forms},
        "times_as_fast": {name: round(timed.speedup(ENGINE, name), 3) for name in forms},
    }


if __name__ == "__main__":
    raise SystemExit(main())
