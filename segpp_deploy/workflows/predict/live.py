"""Predict for a camera or a stream, as fast as the engine goes, and show, serve or record what was found."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import cv2

from segpp_deploy import commands
from segpp_deploy.config import Size
from segpp_deploy.data.images import ByteImage
from segpp_deploy.data.live_reader import LiveFrame, LiveReader, explain_drops
from segpp_deploy.data.live_source import LiveSource
from segpp_deploy.data.video import is_video_name
from segpp_deploy.data.video_writer import VideoWriter, open_video_writer, require_video_name
from segpp_deploy.errors import SegppError
from segpp_deploy.evaluation.latency import LatencyStats
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.files import require_writable
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.workflows.predict.live_result import LiveResult
from segpp_deploy.workflows.predict.mjpeg_server import parse_address, serve_newest
from segpp_deploy.workflows.predict.options import LiveOptions

_KEPT_LAGS = 10_000
_TIME_BASE = Fraction(1, 1000)
_USUAL_FPS = 25
_WINDOW = "segpp-deploy (q ends)"

Sink = Callable[[ByteImage, LiveFrame], bool]
"""Takes a drawn frame; False where the user asks for the end."""


@dataclass
class _Watch:
    """When frames were looked at, and how old they were then."""

    lags_ms: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT_LAGS))
    looked_at: int = 0

    def note(self, frame: LiveFrame) -> None:
        self.looked_at += 1
        self.lags_ms.append(1000 * (time.monotonic() - frame.arrived_s))


def run_live(options: LiveOptions, progress: Progress = no_progress) -> LiveResult:
    """Look at a source until it is given up, Ctrl-C is pressed, or as much was seen as was asked for.

    Raises:
        SegppError: the engine or an output cannot be opened, or the source gives no frame.
    """
    overlay = None if options.out is None else _plan_overlay(options.out, options.source)
    watch, notes = _Watch(), list[str]()
    with ExitStack() as opened:
        predictor = opened.enter_context(Predictor.open(options.engine, options.inference, also=options.also))
        sinks = [opened.enter_context(sink) for sink in _sinks(options, overlay, progress)]
        reader = opened.enter_context(LiveReader(options.source, options.drop))
        began_s = time.monotonic()
        try:
            for frame in _until_enough(reader, options, began_s):
                (found,) = predictor.predict([frame.rgb])
                watch.note(frame)
                drawn = predictor.task.draw(frame.rgb, found, predictor.metadata, legend=True)
                progress(f"Looking at {options.source}", watch.looked_at, max(watch.looked_at, options.frames or 0))
                wants_more = [sink(drawn, frame) for sink in sinks]
                if not all(wants_more):
                    break
        except KeyboardInterrupt:
            notes.append("Ended by Ctrl-C.")
        except SegppError as error:
            if not watch.looked_at:
                raise
            notes.append(f"Warning: {error.what}")
        seconds, count = time.monotonic() - began_s, reader.count
        notes += filter(None, (*predictor.task.assumptions, *predictor.notes(), explain_drops(options.drop, count)))
        return LiveResult(
            source=str(options.source),
            overlay=overlay if watch.looked_at else None,
            count=count,
            looked_at=watch.looked_at,
            seconds=seconds,
            lag_ms=LatencyStats.from_samples(list(watch.lags_ms)) if watch.looked_at else None,
            notes=tuple(notes),
        )


def _until_enough(reader: LiveReader, options: LiveOptions, began_s: float) -> Iterator[LiveFrame]:
    for done, frame in enumerate(reader, start=1):
        yield frame
        is_long_enough = options.seconds is not None and time.monotonic() - began_s >= options.seconds
        if is_long_enough or done == options.frames:
            return


def _plan_overlay(out: Path, source: LiveSource) -> Path:
    path = out if is_video_name(out) else out / f"{source.stem}_overlay.mp4"
    require_video_name(path)
    require_writable(path)
    return path


def _sinks(
    options: LiveOptions, overlay: Path | None, tell: Progress
) -> Iterator[contextlib.AbstractContextManager[Sink]]:
    if overlay is not None:
        yield _recording(overlay)
    if options.serve is not None:
        yield _serving(parse_address(options.serve), tell)
    if options.show:
        yield _showing()


@contextlib.contextmanager
def _recording(path: Path) -> Iterator[Sink]:
    """Record frames at the times at which they arrived; a first frame decides on the size."""
    with ExitStack() as opened:
        writer: VideoWriter | None = None
        first_s = 0.0

        def record(drawn: ByteImage, frame: LiveFrame) -> bool:
            nonlocal writer, first_s
            if writer is None:
                size, first_s = Size(*drawn.shape[:2]), frame.arrived_s
                writer = opened.enter_context(open_video_writer(path, _USUAL_FPS, size, _TIME_BASE))
            writer.write(drawn, Fraction(round(1000 * (frame.arrived_s - first_s)), 1000))
            return True

        yield record


@contextlib.contextmanager
def _serving(address: tuple[str, int], tell: Progress) -> Iterator[Sink]:
    with serve_newest(address) as (newest, url):
        tell(f"Serving at {url}", 0, 0)

        def serve(drawn: ByteImage, _frame: LiveFrame) -> bool:
            newest.show(drawn)
            return True

        yield serve


@contextlib.contextmanager
def _showing() -> Iterator[Sink]:
    """Show frames in a window of OpenCV's.

    Raises:
        SegppError: this OpenCV has no windows, or there is no screen.
    """
    try:
        cv2.namedWindow(_WINDOW, cv2.WINDOW_NORMAL)
    except cv2.error as error:
        raise SegppError(
            "There is no window to show pictures in: no screen, or an OpenCV without windows.",
            "a desktop.",
            commands.option("serve", ":8080") + " shows them in a browser.",
        ) from error

    def show(drawn: ByteImage, _frame: LiveFrame) -> bool:
        cv2.imshow(_WINDOW, drawn[..., ::-1])
        return cv2.waitKey(1) & 0xFF != ord("q")

    try:
        yield show
    finally:
        cv2.destroyWindow(_WINDOW)
