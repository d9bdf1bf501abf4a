"""Cameras of 30 frames a second before an engine of about 8, for two minutes: does what is seen stay new?

`predict --serve` looks at a camera of this machine, as users run it. A viewer in the place of a browser reads from the
overlay which picture it is, and when it was taken. Meanwhile the camera is killed and started again, twice, and stands
still once with its connection open.

The RTSP camera is GStreamer's (`rtsp_server` says what it needs); without it only MJPEG can be measured.

    python -m benchmarks.toolchain.live_streams                   everything (six minutes)
    python -m benchmarks.toolchain.live_streams --case mjpeg      a part; it is merged into the record
    python -m benchmarks.toolchain.live_streams --seconds 40      a quick look; nothing is recorded
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, cast

import cv2
import numpy as np

from benchmarks.arguments import add_parts, make_parser
from benchmarks.recording import ROOT, Row, record_rows
from benchmarks.section import Section, number_columns, text_columns
from benchmarks.toolchain.coded_picture import FPS, HEIGHT, PANORAMA_WIDTH, WIDTH, clock_ms, elapsed_ms, read_code
from segpp_deploy.config import Preset, Size
from segpp_deploy.data.live_source import Drop
from segpp_deploy.data.scenes.generator import generate_scene
from segpp_deploy.evaluation.latency import percentile
from segpp_deploy.files import write_bytes
from segpp_deploy.model.weights.source import CardSource
from segpp_deploy.report.tables import Table
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from segpp_deploy.workflows.export.options import ExportOptions
from segpp_deploy.workflows.export.run import run_export
from segpp_deploy.workflows.predict.mjpeg_server import LOOPBACK
from tests.support.live_streams import free_port, wait_until

MODEL, MODE, SIZE, TARGET, THREADS = "segformer_b0_scenes", Preset.FAST, Size(256, 512), TargetName.CPU, 1
SECONDS = 120.0
SYSTEM_PYTHON = "/usr/bin/python3"

_START_S = 120.0
MOST_FRAME_TIMES, MOST_DRIFT = 2.0, 0.5
"""How old what is seen may be, and how much older it may get, in times that the engine takes for a frame."""
MOST_BACK_S = 12.0
"""The longest pause between two tries, and what opening a stream takes."""


class Trouble(Enum):
    """What becomes of a camera."""

    KILLED = "killed"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Outage:
    """When a camera gives nothing.

    Args:
        trouble: its process ends, or stands still with its connection open.
        at: when, as a share of the whole time.
        lasts: how long, likewise.
    """

    trouble: Trouble
    at: float
    lasts: float


OUTAGES = (
    Outage(Trouble.KILLED, at=0.25, lasts=0.025),
    Outage(Trouble.KILLED, at=0.45, lasts=0.08),
    Outage(Trouble.STOPPED, at=0.7, lasts=0.08),
)


@dataclass(frozen=True)
class Case:
    """What is measured.

    Args:
        python: runs the camera.
        module: the camera.
        url: where it is, with the port left open.
        drop: which frames are left out.
        outages: what happens to the camera.
    """

    python: str
    module: str
    url: str
    drop: Drop = Drop.LATEST
    outages: tuple[Outage, ...] = OUTAGES


_RTSP = (SYSTEM_PYTHON, "rtsp_server", f"rtsp://{LOOPBACK}:{{port}}/camera")
CASES: Mapping[str, Case] = {
    "rtsp": Case(*_RTSP),
    "mjpeg": Case(sys.executable, "mjpeg_camera", f"http://{LOOPBACK}:{{port}}/stream"),
    "rtsp, every frame": Case(*_RTSP, Drop.NONE, ()),
}


def main() -> int:
    """Measure, print, record after every case; 1 if something is not as it should be."""
    parser = make_parser(__doc__)
    add_parts(parser, case=CASES)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    arguments = parser.parse_args()
    facts = {"model": MODEL, "mode": str(MODE), "size": str(SIZE), "target": str(TARGET), "threads": THREADS}
    facts |= {"seconds": SECONDS, "camera": f"{WIDTH}x{HEIGHT}", "fps": FPS}
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        engine, panorama = make_engine(folder), write_panorama(folder / "panorama")
        for case in arguments.case:
            rows.append({"case": case, **measure(CASES[case], engine, panorama, arguments.seconds)})
            if arguments.seconds == SECONDS:
                record_rows("live_streams", rows[-1:], row_key, facts)
    SECTION.show(rows)
    return int(not all(row["passed"] for row in rows))


def row_key(row: Row) -> int:
    """Identify a row, in the order in which rows are listed."""
    return list(CASES).index(row["case"])


def make_engine(folder: Path) -> Path:
    """Export and build the shipped model, slow enough for this."""
    graph = run_export(ExportOptions(folder / "street.onnx", CardSource(MODEL), mode=MODE, size=SIZE)).path
    return run_build(graph, folder / "street.engine", BuildOptions(TARGET, threads=THREADS)).path


def write_panorama(path: Path) -> Path:
    """Write what the cameras turn over: a street."""
    write_bytes(path, generate_scene(3, Size(HEIGHT, PANORAMA_WIDTH)).image.tobytes())
    return path


def measure(case: Case, engine: Path, panorama: Path, seconds: float) -> Row:
    """Look at a camera for a while and return the row."""
    before = _CpuTime.now()
    camera = CameraProcess(case, panorama)
    port = free_port()
    command = [
        *(sys.executable, "-m", "segpp_deploy", "predict", str(engine), camera.url, "--serve", f":{port}"),
        *("--seconds", str(seconds), "--drop", str(case.drop), "--json", "--quiet"),
    ]
    with camera, subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as looking:
        try:
            viewer = Viewer(f"http://{LOOPBACK}:{port}/stream")
            wait_until(lambda: viewer.sights, _START_S)
            began_s, outages = time.monotonic(), []
            for outage in case.outages:
                time.sleep(max(0.0, began_s + outage.at * seconds - time.monotonic()))
                back_s = camera.suffer(outage.trouble, outage.lasts * seconds)
                outages.append((outage, back_s))
            answer, _ = looking.communicate(timeout=seconds + _START_S)
        finally:
            looking.kill()
    row = describe(json.loads(answer), viewer.sights, [back_s for _, back_s in outages])
    troubles = [str(outage.trouble.value) for outage, _ in outages]
    row |= {"drop": str(case.drop), "troubles": troubles, "unreadable": viewer.unreadable}
    row["others_share"] = _CpuTime.now().others_since(before)
    return {**row, "passed": is_good(row)}


@dataclass(frozen=True)
class Sight:
    """A picture that was seen for the first time.

    Args:
        seen_s: when, by `time.monotonic`.
        number: the camera's.
        age_ms: how long ago it had been taken.
    """

    seen_s: float
    number: int
    age_ms: float


def describe(answer: Mapping[str, Any], sights: Sequence[Sight], backs_s: Sequence[float]) -> Row:
    """Return what `predict` counted beside what was seen.

    How old a picture is counts in the time that the engine took for it, so that a machine that does other work too does
    not change what is found.

    Args:
        answer: of `predict --json`.
        sights: all of them, in order.
        backs_s: when the camera was there again, each time.
    """
    gaps_ms = [1000 * (later.seen_s - earlier.seen_s) for earlier, later in pairwise(sights)]
    ages_ms = [sight.age_ms for sight in sights[1:]]
    frame_times = [age_ms / gap_ms for age_ms, gap_ms in zip(ages_ms, gaps_ms, strict=True)]
    part = max(1, len(frame_times) // 4)
    counted = ("received", "looked_at", "dropped", "damaged", "reconnects", "lag_ms")
    return {
        **{name: answer[name] for name in counted},
        "frame_ms": statistics.median(gaps_ms),
        "seen_ms": _summarize(ages_ms),
        "seen_frame_times": _summarize(frame_times),
        "drift_frame_times": statistics.median(frame_times[-part:]) - statistics.median(frame_times[:part]),
        "back_after_s": [
            next((sight.seen_s - back_s for sight in sights if sight.seen_s > back_s), None) for back_s in backs_s
        ],
    }


def _summarize(samples: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(samples), "p95": percentile(samples, 95), "max": max(samples)}


def is_good(row: Row) -> bool:
    """Whether what is seen stays new, and a camera that comes back is looked at again; or no frame was left out."""
    if row["drop"] == Drop.NONE:
        return bool(row["dropped"] == 0)
    return all(
        (
            row["seen_frame_times"]["p95"] < MOST_FRAME_TIMES,
            row["drift_frame_times"] < MOST_DRIFT,
            row["reconnects"] >= row["troubles"].count(Trouble.KILLED.value),
            all(back_s is not None and back_s < MOST_BACK_S for back_s in row["back_after_s"]),
            0 <= row["received"] - row["looked_at"] - row["dropped"] <= 1,
        )
    )


class CameraProcess:
    """A camera in a process of its own; it films inside `with`."""

    def __init__(self, case: Case, panorama: Path) -> None:
        self._port = free_port()
        self.url = case.url.format(port=self._port)
        self._command = [case.python, "-m", f"benchmarks.toolchain.{case.module}", str(self._port), str(panorama)]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> CameraProcess:
        self._start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._kill()

    def suffer(self, trouble: Trouble, seconds: float) -> float:
        """Give nothing for so long; return when it is there again, by `time.monotonic`."""
        assert self._process is not None
        begin: Callable[[], None] = self._kill
        end: Callable[[], None] = self._start
        if trouble is Trouble.STOPPED:
            process = self._process
            begin, end = (
                lambda: process.send_signal(signal.SIGSTOP),
                lambda: process.send_signal(signal.SIGCONT),
            )
        begin()
        time.sleep(seconds)
        end()
        return time.monotonic()

    def _start(self) -> None:
        self._process = subprocess.Popen(self._command, cwd=ROOT)
        wait_until(self._listens, _START_S)

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((LOOPBACK, self._port)) == 0


class Viewer:
    """Watches what `predict --serve` shows, until it ends."""

    def __init__(self, url: str) -> None:
        self.sights: list[Sight] = []
        self.unreadable = 0
        self._url = url
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        wait_until(self._connect, _START_S)
        last: tuple[int, int] | None = None
        while (jpeg := read_part(self._answer)) is not None:
            now_ms, seen_s = clock_ms(), time.monotonic()
            bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
            code = None if bgr is None else read_code(np.asarray(bgr, np.uint8))
            self.unreadable += code is None
            if code is not None and code != last:
                self.sights.append(Sight(seen_s, code[0], elapsed_ms(code[1], now_ms)))
                last = code

    def _connect(self) -> bool:
        try:
            self._answer = cast("BinaryIO", urllib.request.urlopen(self._url, timeout=60))
        except OSError:
            return False
        return True


def read_part(stream: BinaryIO) -> bytes | None:
    """Return the next JPEG of an answer of many parts, None at its end."""
    size = 0
    while line := stream.readline():
        if line.lower().startswith(b"content-length:"):
            size = int(line.partition(b":")[2])
        elif not line.strip() and size:
            found = stream.read(size)
            return found if len(found) == size else None
    return None


@dataclass(frozen=True)
class _CpuTime:
    """CPU seconds: of all processes, of ours, and those there were."""

    busy: float
    ours: float
    available: float

    @classmethod
    def now(cls) -> _CpuTime:
        ticks = [int(word) for word in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]
        idle = ticks[3] + ticks[4]
        usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        per_second = os.sysconf("SC_CLK_TCK")
        return cls(
            (sum(ticks) - idle) / per_second,
            sum(usage.ru_utime + usage.ru_stime for usage in usages),
            sum(ticks) / per_second,
        )

    def others_since(self, before: _CpuTime) -> float:
        """Return the share of the machine's CPU time that other programs took."""
        busy, ours = self.busy - before.busy, self.ours - before.ours
        return max(0.0, busy - ours) / (self.available - before.available)


_PARTS = ("median", "p95")


def make_tables(recorded: list[Row]) -> list[Table]:
    """A row for each case: what became of frames, and how old what was seen was."""
    rows = [
        (
            row["case"],
            *(f"{row[name]:,}" for name in ("received", "looked_at", "dropped")),
            f"{row['frame_ms']:.0f}",
            *(f"{row[name][part]:.0f}" for name in ("lag_ms", "seen_ms") for part in _PARTS),
            *(f"{row['seen_frame_times'][part]:.2f}" for part in _PARTS),
            f"{row['drift_frame_times']:+.2f}",
            str(row["reconnects"]),
            ", ".join("never" if back_s is None else f"{back_s:.1f}" for back_s in row["back_after_s"]),
            f"{100 * row['others_share']:.0f}",
        )
        for row in recorded
    ]
    headings = (
        *("received", "looked at", "dropped", "ms per frame looked at"),
        *(f"{what}, {part}" for what in ("lag, ms", "camera to browser, ms", "in frame times") for part in _PARTS),
        *("drift", "reconnects", "seen again after, s", "CPU taken by others, %"),
    )
    return [Table("", (*text_columns("stream"), *number_columns(*headings)), tuple(rows))]


SECTION = Section(
    "Live streams",
    "Cameras on this machine ({camera} at {fps} frames a second: H.264 by GStreamer's RTSP server, and MJPEG over "
    "HTTP), each for {seconds:.0f} seconds before `predict --serve` with {model}, mode {mode}, {size}, target "
    "{target}, {threads} thread. Pictures carry the time at which they were taken, and a viewer in the browser's place "
    "reads it from the overlay. The lag is what `predict` says, from a decoded frame to its labels. Frame times are "
    "those from one picture to the next, in which the engine looks at it; the drift says how many of them older the "
    "last quarter of the pictures is than the first. Each camera was killed for 3 and for 10 seconds, and stopped for "
    "10 with its connection open; `seen again` counts from its return. What other work the machine did is in the last "
    "column: it makes frame times longer. With `--drop none` no frame is left out, and what is seen gets older and "
    "older.",
    make_tables,
    ("onnxruntime", "opencv"),
)


if __name__ == "__main__":
    raise SystemExit(main())
