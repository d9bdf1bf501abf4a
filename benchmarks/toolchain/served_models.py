"""Packages for Triton, served by a real server: are all answers those of our own sessions?

Where no Docker and no GPU is, twins of the models are served (see `triton_server`). Each contract is asked over HTTP
and gRPC, with and without shared memory: the package's own client labels pictures, and then eight clients at once send
a thousand requests.

    python -m benchmarks.toolchain.served_models --prepare    make the server's environment, once (a few minutes)
    python -m benchmarks.toolchain.served_models              serve, ask, compare, record (half an hour)
    python -m benchmarks.toolchain.served_models --contract static    a part; it is merged into the record
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.arguments import add_parts, make_parser
from benchmarks.recording import Row, record_rows
from benchmarks.section import Section, number_columns, text_columns
from benchmarks.toolchain.tool import run_tool
from benchmarks.toolchain.triton_server import Environment, Server, environment, serving, write_twins
from segpp_deploy.config import InputKind, LabelsLayout, OutputForm, OutputKind, Preset, Size
from segpp_deploy.data.geometry.whole import prepare
from segpp_deploy.data.images import read_image, read_labels, write_image
from segpp_deploy.data.scenes.generator import generate_scene
from segpp_deploy.engine.open import open_session
from segpp_deploy.model.weights.source import CardSource
from segpp_deploy.packaging.stacks import Stack
from segpp_deploy.report.tables import Table
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from segpp_deploy.workflows.export.options import ExportOptions
from segpp_deploy.workflows.export.run import run_export
from segpp_deploy.workflows.package.options import PackageOptions
from segpp_deploy.workflows.package.run import run_package

MODEL, SIZE = "segformer_b0_scenes", Size(128, 256)
NHWC = OutputForm(layout=LabelsLayout.NHWC, confidence=True)
CONTRACTS: Mapping[str, Mapping[str, Any]] = {
    "static": {"batch": 1},
    "dynamic": {"batch": None},
    "float": {"batch": None, "input_kind": InputKind.FLOAT, "output_kind": OutputKind.LABELS_INT64},
    "confidence": {"batch": None, "output_form": NHWC},
}
PICTURES, REQUESTS, CLIENTS = 20, 1000, 8
_REQUESTS = Path(__file__).with_name("triton_requests.py")


@dataclass(frozen=True)
class Load:
    """What is asked.

    Args:
        pictures: files of the models' size.
        requests: sent by the clients together, by each way.
        clients: at once.
    """

    pictures: Sequence[Path]
    requests: int = REQUESTS
    clients: int = CLIENTS


def main() -> int:
    """Serve, ask, print, record; 1 if an answer is missing or another."""
    parser = make_parser(__doc__)
    parser.add_argument("--prepare", action="store_true", help="make the server's environment")
    parser.add_argument("--requests", type=int, default=REQUESTS)
    add_parts(parser, contract=CONTRACTS)
    arguments = parser.parse_args()
    made = environment()
    if arguments.prepare:
        made.make()
        return 0
    if not made.is_ready:
        print("There is no server yet: python -m benchmarks.toolchain.served_models --prepare", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = write_pictures(folder / "pictures", PICTURES)
        engines = [make_engine(contract, folder) for contract in arguments.contract]
        rows = list(ask(engines, Load(pictures, arguments.requests), folder, made))
    SECTION.show(rows)
    if arguments.requests == REQUESTS:
        facts = {"model": MODEL, "size": str(SIZE), "clients": CLIENTS}
        record_rows("served_models", rows, lambda row: (row["contract"], row["protocol"], row["shared_memory"]), facts)
    return int(not all(row["passed"] for row in rows))


def write_pictures(folder: Path, count: int, size: Size = SIZE) -> list[Path]:
    """Write pictures of streets, and return their files."""
    paths = [folder / f"street{index:02}.png" for index in range(count)]
    for index, path in enumerate(paths):
        write_image(path, generate_scene(index, size).image)
    return paths


def make_engine(contract: str, folder: Path) -> Path:
    """Export and build the shipped model with a contract."""
    options = ExportOptions(
        folder / f"{contract}.onnx", CardSource(MODEL), mode=Preset.FAST, size=SIZE, **CONTRACTS[contract]
    )
    graph = run_export(options).path
    return run_build(graph, folder / f"{contract}.engine", BuildOptions(TargetName.CPU, threads=1)).path


def ask(engines: Sequence[Path], load: Load, folder: Path, made: Environment) -> Iterator[Row]:
    """Package engines, serve their twins, and yield a row for each model and way of asking."""
    package = folder / "served"
    run_package(PackageOptions(tuple(engines), Stack.TRITON, package))
    twins = write_twins(package / "models", folder / "twins", made)
    for engine in engines:
        write_expected(engine, load.pictures, folder)
    with serving(twins, made, folder / "server.log") as server:
        for engine in engines:
            for protocol in ("http", "grpc"):
                for shared in (False, True):
                    row = ask_one(engine.stem, protocol, shared, load, folder, server, made)
                    complete = (row["equal"], row["requests"]) == (len(load.pictures), load.requests)
                    yield {**row, "passed": complete and not row["errors"] + row["wrong"]}


def write_expected(engine: Path, pictures: Sequence[Path], folder: Path) -> None:
    """Write what the engine's own session makes of pictures, for `triton_requests`."""
    with closing(open_session(engine)) as session:
        metadata = session.metadata
        images = [
            prepare(read_image(path), metadata.size, metadata.input_kind, metadata.normalization)[None]
            for path in pictures
        ]
        answers = [session.run_all(image) for image in images]
    outputs = {f"output_{index}": np.stack(found) for index, found in enumerate(zip(*answers, strict=True))}
    arrays: dict[str, Any] = {"images": np.stack(images), **outputs}
    np.savez(folder / f"{engine.stem}.npz", **arrays)


def ask_one(
    model: str, protocol: str, shared: bool, load: Load, folder: Path, server: Server, made: Environment
) -> Row:
    """Ask for a model's labels in one way: by the package's client, and by many at once."""
    package, url, way = folder / "served", server.url(protocol), ["--shared-memory"] * shared
    out = folder / f"labels-{model}-{protocol}-{shared}"
    told = ["--model", model, "--protocol", protocol, "--url", url, "--out", out, *way, *load.pictures]
    run_tool([made.python, package / "client.py", *told])
    before = server.statistics(model)
    numbers = [load.requests, load.clients, *["shared"] * shared]
    expected = folder / f"{model}.npz"
    sent = json.loads(run_tool([made.python, _REQUESTS, package, model, protocol, url, expected, *numbers]))
    after = server.statistics(model)
    return {
        "contract": model,
        "protocol": protocol,
        "shared_memory": shared,
        "pictures": len(load.pictures),
        "equal": count_equal(out, load.pictures, np.load(expected)["output_0"]),
        "requests": sent["requests"],
        "errors": sent["errors"],
        "wrong": sent["wrong"],
        "runs": after["execution_count"] - before["execution_count"],
        "first_errors": sent["first"],
    }


def count_equal(folder: Path, pictures: Sequence[Path], labels: NDArray[Any]) -> int:
    """Return how many of the label maps that the client wrote are the session's."""
    found = [read_labels(folder / f"{path.stem}.png") for path in pictures]
    return sum(np.array_equal(one, expected.reshape(one.shape)) for one, expected in zip(found, labels, strict=True))


def make_tables(recorded: list[Row]) -> list[Table]:
    """A row for each contract and way of asking."""
    rows = [
        (
            row["contract"],
            row["protocol"] + ", shared memory" * row["shared_memory"],
            f"{row['equal']} of {row['pictures']}",
            f"{row['requests']:,}",
            str(row["errors"] + row["wrong"]),
            f"{row['runs']:,}",
        )
        for row in recorded
    ]
    columns = text_columns("contract", "by") + number_columns("same labels", "requests", "failed or other", "runs")
    return [Table("", columns, tuple(rows))]


SECTION = Section(
    "Served by Triton",
    "{model} at {size}, packaged with `package --for triton` and served by a real Triton server, the one of the wheel "
    "nvidia-pytriton, whose Python backend runs the same ONNX: which answers are those of our own session (a "
    "confidence may be off by 1 of 255). {clients} clients asked at once; the server joined their requests to fewer "
    "runs where the batch is open.",
    make_tables,
    ("onnxruntime",),
)


if __name__ == "__main__":
    raise SystemExit(main())
