"""Reads cameras and streams: a thread decodes and never lets the source wait, so that what is looked at is new."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from segpp_deploy import commands
from segpp_deploy.data.images import ByteImage
from segpp_deploy.data.live_source import Drop, LiveSource
from segpp_deploy.errors import SegppError, one_line

if TYPE_CHECKING:
    import av

DEPTH = 4
"""Frames that wait where none may be dropped."""

PATIENCE_S = 60.0
"""How long a source that broke off is tried again."""

_OPEN_S, _READ_S = 10.0, 5.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 8.0
_RTSP_OPTIONS = {"rtsp_transport": "tcp"}
_HASTE = {"fflags": "nobuffer"}  # drops what was read to find out what the stream is
_MOST_DAMAGED_IN_A_ROW = 100


@dataclass(frozen=True)
class LiveFrame:
    """A frame.

    Args:
        rgb: uint8 [H, W, 3], RGB.
        number: its place among those received, from 1.
        arrived_s: when it was decoded, by `time.monotonic`.
    """

    rgb: ByteImage
    number: int
    arrived_s: float


@dataclass(frozen=True)
class LiveCount:
    """What happened so far.

    Args:
        received: decoded frames.
        dropped: of them, those that nobody looked at because newer ones came.
        reconnects: how often the source broke off and came back.
        damaged: frames that could not be decoded.
    """

    received: int = 0
    dropped: int = 0
    reconnects: int = 0
    damaged: int = 0


class LiveReader:
    """Frames of a live source; iterate over it once, and close it, best with `with`.

    Args:
        source: the camera or stream.
        drop: LATEST gives the newest frame whenever one is asked for; NONE gives each, and lets the source wait.
        patience_s: how long a source that broke off is tried again, with pauses that grow.
    """

    def __init__(self, source: LiveSource, drop: Drop = Drop.LATEST, patience_s: float = PATIENCE_S) -> None:
        self._source = source
        self._drop = drop
        self._patience_s = patience_s
        self._waiting: deque[tuple[av.VideoFrame, int, float]] = deque()
        self._change = threading.Condition()
        self._received = self._dropped = self._reconnects = self._damaged = 0
        self._failure: SegppError | None = None
        self._is_closed = False
        self._thread = threading.Thread(target=self._read, name="live", daemon=True)

    @property
    def count(self) -> LiveCount:
        """What happened so far."""
        return LiveCount(self._received, self._dropped, self._reconnects, self._damaged)

    def __enter__(self) -> LiveReader:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        with self._change:
            self._is_closed = True
            self._change.notify_all()
        self._thread.join(_READ_S)

    def __iter__(self) -> Iterator[LiveFrame]:
        """Yield frames until the source is given up.

        Raises:
            SegppError: it cannot be opened, or broke off and did not come back.
        """
        while True:
            with self._change:
                self._change.wait_for(lambda: self._waiting or self._failure or self._is_closed)
                if not self._waiting:
                    if self._failure is not None:
                        raise self._failure
                    return
                frame, number, arrived_s = self._waiting.popleft()
                self._change.notify_all()
            yield LiveFrame(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8), number, arrived_s)

    def _read(self) -> None:
        """Connect, and connect again, until closed or out of patience."""
        import av

        pause_s, lost_s = _FIRST_PAUSE_S, time.monotonic()
        reason = "it ended"
        while not self._is_closed:
            before = self._received
            try:
                with self._open() as container:
                    self._decode(container)
                reason = "it ended"
            except av.ExitError:  # what PyAV does after a while without an answer
                reason = "nothing comes"
            except (av.FFmpegError, IndexError) as error:
                reason = one_line(getattr(error, "strerror", None) or error)
            if self._received > before:
                pause_s, lost_s = _FIRST_PAUSE_S, time.monotonic()
            if self._received == 0 or time.monotonic() - lost_s > self._patience_s:
                return self._give_up(reason)
            with self._change:
                self._change.wait_for(lambda: self._is_closed, pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        return None

    def _open(self) -> Any:
        import av

        address = self._source.address
        if self._source.is_camera:
            return av.open(address, format="v4l2", timeout=(_OPEN_S, _READ_S))
        options = dict(_HASTE) if self._drop is Drop.LATEST else {}
        if address.lower().startswith("rtsp"):
            options |= _RTSP_OPTIONS
        return av.open(address, options=options, timeout=(_OPEN_S, _READ_S))

    def _decode(self, container: Any) -> None:
        """Offer frames until the source ends, or nobody takes any more."""
        is_first = True
        for frame in self._frames(container):
            if is_first and self._received:
                self._reconnects += 1
            is_first = False
            if not self._offer(frame):
                return

    def _frames(self, container: Any) -> Iterator[av.VideoFrame]:
        """Yield what can be decoded: to connect again because of a damaged packet would take longer."""
        import av

        stream = container.streams.video[0]
        if self._drop is Drop.LATEST:  # else MPEG-1 and -2 come a frame late, for the sake of an order that they are in
            stream.codec_context.flags |= av.codec.context.Flags.low_delay
        damaged_in_a_row = 0
        for packet in container.demux(stream):
            try:
                yield from packet.decode()
                damaged_in_a_row = 0
            except av.InvalidDataError:
                self._damaged += 1
                damaged_in_a_row += 1
                if damaged_in_a_row == _MOST_DAMAGED_IN_A_ROW:
                    raise

    def _offer(self, frame: av.VideoFrame) -> bool:
        """Put a frame where it is taken from; False when nobody takes any more."""
        with self._change:
            self._received += 1
            if self._drop is Drop.LATEST:
                self._dropped += len(self._waiting)
                self._waiting.clear()
            else:
                self._change.wait_for(lambda: len(self._waiting) < DEPTH or self._is_closed)
            self._waiting.append((frame, self._received, time.monotonic()))
            self._change.notify_all()
            return not self._is_closed

    def _give_up(self, reason: str) -> None:
        what = f"{self._source} gives no frames: {reason}."
        if self._received:
            what = f"{self._source} broke off after {self._received} frames: {reason}."
        expected = "a camera, or a stream that FFmpeg can read, that goes on."
        fix = "Check it with: ffplay " + str(self._source)
        with self._change:
            self._failure = SegppError(what, expected, fix)
            self._change.notify_all()


def explain_drops(drop: Drop, count: LiveCount) -> str:
    """Say what was dropped, and how to have it otherwise.

    Example:
        >>> explain_drops(Drop.LATEST, LiveCount(received=30, dropped=20))
        '20 of 30 frames were dropped, so that the newest is looked at; --drop none looks at all, and lags behind.'
    """
    if drop is Drop.NONE or not count.dropped:
        return ""
    other = commands.option("drop", Drop.NONE)
    return (
        f"{count.dropped} of {count.received} frames were dropped, so that the newest is looked at; {other} looks at "
        "all, and lags behind."
    )
