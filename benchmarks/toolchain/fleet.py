"""Many pictures on a Ray cluster whose workers are killed under way: is everything as one process has it, and once?

pip install -c constraints/cpu.txt '.[cpu,ray]'
python -m benchmarks.toolchain.fleet                    all steps (ten minutes on two cores)
python -m benchmarks.toolchain.fleet --step predict     one; it is merged into the record
"""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.arguments import add_parts, make_parser
from benchmarks.recording import Row, record_rows
from benchmarks.section import Section, number_columns, text_columns
from benchmarks.toolchain.ray_cluster import Cluster, cluster, resident_bytes
from segpp_deploy.config import Preset, Size
from segpp_deploy.data.images import write_image, write_labels
from segpp_deploy.data.scenes import SCENE_CLASSES, generate_scene
from segpp_deploy.files import sha256_of
from segpp_deploy.model.weights.source import CardSource
from segpp_deploy.report.tables import Table
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from segpp_deploy.workflows.export.options import ExportOptions
from segpp_deploy.workflows.export.run import run_export
from segpp_deploy.workflows.predict.sidecars import FOLDER

MODEL, SIZE = "segformer_b0_scenes", Size(64, 96)
WORKERS, PICTURES, MANY = 3, 2000, 10_000
KILLED_AT = (0.2, 0.5)  # of the results; a worker each
MOST_GROWTH_BYTES = 32 << 20
_SCENES = 40
_PAUSE_S = 0.05


@dataclass
class Watched:
    """What was seen of a command.

    Args:
        killed: workers that were killed while it ran.
        resident: the driver's resident bytes, with the share of the pictures that was done.
        seconds: that it took.
        document: its JSON.
    """

    killed: int = 0
    resident: list[tuple[float, int]] = field(default_factory=list)
    seconds: float = 0.0
    document: dict[str, Any] = field(default_factory=dict)


def main() -> int:
    """Run the steps, print, record; 1 if something is missing or other than in one process."""
    parser = make_parser(__doc__)
    parser.add_argument("--pictures", type=int, default=PICTURES)
    parser.add_argument("--many", type=int, default=MANY, help="pictures of the step memory")
    add_parts(parser, step=STEPS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, cluster(WORKERS) as made:
        folder, engine = Path(name), make_engine(Path(name))
        counts = {"memory": arguments.many}
        rows = [STEPS[step](engine, counts.get(step, arguments.pictures), folder, made) for step in arguments.step]
    SECTION.show(rows)
    if (arguments.pictures, arguments.many) == (PICTURES, MANY):
        ray = importlib.metadata.version("ray")
        facts = {"model": MODEL, "size": str(SIZE), "workers": WORKERS, "ray": ray, "kills": len(KILLED_AT)}
        record_rows("fleet", rows, lambda row: row["step"], facts)
    return int(not all(row["passed"] for row in rows))


def make_engine(folder: Path) -> Path:
    """Export and build the shipped model, for one thread."""
    options = ExportOptions(folder / "fast.onnx", CardSource(MODEL), mode=Preset.FAST, size=SIZE)
    return run_build(run_export(options).path, folder / "fast.engine", BuildOptions(TargetName.CPU, threads=1)).path


def write_pictures(folder: Path, count: int) -> Path:
    """Write a data set of `count` streets, which differ in where they are cut, and return its directory."""
    scenes = [generate_scene(seed, SIZE) for seed in range(_SCENES)]
    for number in range(count):
        scene, turn = scenes[number % _SCENES], number // _SCENES
        write_image(folder / f"images/{number:05}.png", np.roll(scene.image, turn, axis=1))
        write_labels(folder / f"labels/{number:05}.png", np.roll(scene.labels, turn, axis=1), SCENE_CLASSES)
    return folder


def predict(engine: Path, count: int, folder: Path, made: Cluster) -> Row:
    """Predict in one process, then on the cluster with two workers killed, then there again."""
    data = write_pictures(folder / "predict", count)
    here, there = folder / "here", folder / "there"
    command = ["predict", engine, data / "images", "--overlay", "--labels-png", "--resume"]
    alone = watch([*command, "-o", here], made)
    fleet = [*command, "-o", there, "--ray", made.address]
    first = watch(fleet, made, lambda: share(there / FOLDER, count), kills=True)
    times = modified(there)
    second = watch(fleet, made)
    expected, found = hashes(here), hashes(there)
    equal = sum(found.get(name) == digest for name, digest in expected.items())
    once = found.keys() == expected.keys() and len(expected) == 3 * count
    idle = second.document["images"] == 0 and second.document["already_done"] == count and modified(there) == times
    is_complete = all(run.document["failures"] == [] for run in (alone, first, second))
    return {
        "step": "predict",
        "pictures": count,
        "killed": first.killed,
        "results": len(found),
        "equal": equal,
        "done_again": second.document["images"],
        "seconds": first.seconds,
        "seconds_again": second.seconds,
        "passed": once and idle and is_complete and equal == len(expected) and first.killed == len(KILLED_AT),
    }


def validate(engine: Path, count: int, folder: Path, made: Cluster) -> Row:
    """Validate in one process, and on the cluster with two workers killed: documents and files must be equal."""
    data = write_pictures(folder / "validate", count)
    runs, files = [], []
    for place, ray in (("alone", []), ("fleet", ["--ray", made.address])):
        out = folder / place
        command = ["validate", engine, "--data", f"folder:{data}", "--against", "none", "--boundary", "2", *ray]
        command += ["--per-image", out / "scores.jsonl", "--confusion", out / "confusion.csv", "--labels", out / "maps"]
        runs.append(watch(command, made, partial(share, out / "maps", count), kills=bool(ray)))
        files.append(hashes(out))
    documents = [{**run.document, "files": None} for run in runs]
    expected, found = files
    equal = sum(found.get(name) == digest for name, digest in expected.items())
    is_same = documents[0] == documents[1] and found.keys() == expected.keys() and len(expected) == count + 2
    return {
        "step": "validate",
        "pictures": count,
        "killed": runs[1].killed,
        "results": len(found),
        "equal": equal,
        "miou": [document["miou"] for document in documents],
        "seconds": runs[1].seconds,
        "passed": is_same and equal == len(expected) and runs[1].killed == len(KILLED_AT),
    }


def memory(engine: Path, count: int, folder: Path, made: Cluster) -> Row:
    """Predict for many pictures and watch the driver's resident memory."""
    data = write_pictures(folder / "memory", count)
    out = folder / "many"
    command = ["predict", engine, data / "images", "--labels-png", "--resume", "-o", out, "--ray", made.address]
    seen = watch(command, made, lambda: share(out / FOLDER, count))
    early = max(resident for done, resident in seen.resident if 0 < done <= KILLED_AT[0])
    late = max(resident for done, resident in seen.resident if done >= KILLED_AT[0])
    return {
        "step": "memory",
        "pictures": count,
        "killed": 0,
        "results": len(hashes(out)),
        "equal": None,
        "resident_bytes": thin(seen.resident),
        "growth_bytes": late - early,
        "seconds": seen.seconds,
        "passed": late - early <= MOST_GROWTH_BYTES and seen.document["images"] == count,
    }


STEPS: dict[str, Callable[[Path, int, Path, Cluster], Row]] = {
    "predict": predict,
    "validate": validate,
    "memory": memory,
}


def watch(
    arguments: Sequence[object], made: Cluster, done: Callable[[], float] | None = None, kills: bool = False
) -> Watched:
    """Run a command with `--json` and watch it.

    Args:
        arguments: of the command.
        made: the cluster that it may use.
        done: the share of the results that is there.
        kills: a worker of the cluster whenever the share passes one of `KILLED_AT`.

    Raises:
        RuntimeError: it failed.
    """
    seen, began = Watched(), time.monotonic()
    with tempfile.TemporaryFile() as output:
        command = [sys.executable, "-m", "segpp_deploy", *map(str, arguments), "--json", "--quiet"]
        process = subprocess.Popen(command, env=made.variables, stdout=output, stderr=subprocess.PIPE, text=True)
        while process.poll() is None:
            if done is not None:
                share_done = done()
                seen.resident.append((share_done, resident_bytes(process.pid)))
                is_time = seen.killed < len(KILLED_AT) and share_done >= KILLED_AT[seen.killed]
                if kills and is_time and made.kill_worker():
                    seen.killed += 1
            time.sleep(_PAUSE_S)
        seen.seconds = time.monotonic() - began
        if process.returncode or process.stderr is None:
            raise RuntimeError(f"{command}: {process.stderr.read()[-4000:] if process.stderr else ''}")
        output.seek(0)
        printed = output.read()
        try:
            seen.document = json.loads(printed)
        except ValueError as error:
            raise RuntimeError(f"{command} printed more than JSON: {printed[:2000]!r}") from error
    return seen


def share(folder: Path, count: int) -> float:
    """Return how much of a directory of `count` files is there."""
    return sum(not path.name.startswith(".") for path in folder.iterdir()) / count if folder.is_dir() else 0.0


def hashes(folder: Path) -> dict[str, str]:
    """Return the hash of each file below a directory; hidden files are what a killed worker had begun."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in paths}


def modified(folder: Path) -> dict[Path, int]:
    """Return when each file below a directory was written."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def thin(resident: Sequence[tuple[float, int]], most: int = 40) -> list[tuple[float, int]]:
    """Return some of the samples, at equal distances."""
    step = max(1, len(resident) // most)
    return [(round(done, 3), size) for done, size in resident[::step]]


def make_tables(recorded: list[Row]) -> list[Table]:
    """A row for each step."""
    rows = [
        (
            row["step"],
            f"{row['pictures']:,}",
            str(row["killed"]),
            "-" if row["equal"] is None else f"{row['equal']:,} of {row['results']:,}",
            str(row["done_again"]) if "done_again" in row else "-",
            f"{row['growth_bytes'] / (1 << 20):.0f} MiB" if "growth_bytes" in row else "-",
        )
        for row in recorded
    ]
    columns = text_columns("step") + number_columns(
        "pictures", "workers killed", "files equal", "done by a second run", "growth of the driver"
    )
    return [Table("", columns, tuple(rows))]


SECTION = Section(
    "Fleets",
    "{model} at {size} on a cluster of Ray {ray} with {workers} workers on this machine, of which {kills} were killed "
    "(SIGKILL) while `predict` and `validate` ran: which files are, bit by bit, those of a run in one process; all of "
    "them are there, and there are no others. The JSON of both runs of `validate` was the same in every figure. The "
    "driver's memory is compared between the first fifth of the pictures and the rest.",
    make_tables,
    ("onnxruntime",),
)


if __name__ == "__main__":
    raise SystemExit(main())
