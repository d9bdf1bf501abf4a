"""Streams on this machine: pictures at a rate over HTTP, as network cameras send them, and a video file likewise."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

from segpp_deploy.workflows.predict.mjpeg_server import LOOPBACK, serve_newest


@contextlib.contextmanager
def stream_pictures(fps: float, size_hw: tuple[int, int] = (32, 64), port: int = 0) -> Iterator[str]:
    """Serve pictures, bright on the right, at a rate; yields the stream's address."""
    picture = np.zeros((*size_hw, 3), np.uint8)
    picture[:, size_hw[1] // 2 :] = 255
    is_ending = threading.Event()
    with serve_newest((LOOPBACK, port)) as (newest, url):

        def send() -> None:
            while not is_ending.wait(1 / fps):
                newest.show(picture)

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        try:
            yield url + "stream"
        finally:
            is_ending.set()
            sender.join()


def serve_folder(folder: Path) -> contextlib.AbstractContextManager[str]:
    """Serve the files of a folder; yields its address."""
    return _serving(partial(_QuietHandler, directory=str(folder)))


def serve_parts(parts: Sequence[bytes]) -> contextlib.AbstractContextManager[str]:
    """Serve JPEGs, whole or damaged, one after the other and then the end; yields the stream's address."""

    class Handler(_QuietHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            with contextlib.suppress(OSError):  # the viewer left
                for part in parts:
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(part)}\r\n\r\n"
                    self.wfile.write(head.encode() + part + b"\r\n")

    return _serving(Handler)


@contextlib.contextmanager
def _serving(handler: Callable[..., SimpleHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer((LOOPBACK, 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://{LOOPBACK}:{server.server_address[1]}/"
        finally:
            server.shutdown()


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def wait_until(condition: object, seconds: float = 20.0) -> None:
    """Wait until a function returns something; fail after a while."""
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass
