"""The newest picture for browsers: MJPEG over HTTP, as cameras send it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2

from segpp_deploy import commands
from segpp_deploy.data.images import ByteImage
from segpp_deploy.errors import SegppError, one_line

LOOPBACK = "127.0.0.1"
_BOUNDARY = "frame"
_QUALITY = 85
_WAIT_S = 1.0
_PAGE = b"""<!doctype html><meta charset="utf-8"><title>segpp-deploy</title>
<style>body{margin:0;background:#111}img{display:block;margin:auto;max-width:100vw;max-height:100vh}</style>
<img src="/stream" alt="what the model sees, live">
"""


class Newest:
    """The newest picture, as JPEG; it is encoded only while somebody looks."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._jpeg = b""
        self._number = 0
        self.viewers = 0

    def show(self, rgb: ByteImage) -> None:
        """Replace the picture, uint8 [H, W, 3] RGB."""
        if not self.viewers:
            return
        _, encoded = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        with self._change:
            self._jpeg, self._number = encoded.tobytes(), self._number + 1
            self._change.notify_all()

    def after(self, number: int) -> tuple[bytes, int]:
        """Return a picture newer than `number` and its own; the same again if none comes for a while."""
        with self._change:
            self._change.wait_for(lambda: self._number > number, _WAIT_S)
            return self._jpeg, self._number


def parse_address(text: str) -> tuple[str, int]:
    """Return host and port of [HOST]:PORT; this machine only where no host is named.

    Example:
        >>> parse_address(":8080"), parse_address("0.0.0.0:80")
        (('127.0.0.1', 8080), ('0.0.0.0', 80))

    Raises:
        SegppError: it is no such text.
    """
    host, colon, port = text.rpartition(":")
    if not (colon and port.isdecimal() and int(port) < 1 << 16):
        raise SegppError(f"{text} is no address to serve at.", "[HOST]:PORT.", commands.option("serve", ":8080"))
    return host or LOOPBACK, int(port)


@contextlib.contextmanager
def serve_newest(address: tuple[str, int]) -> Iterator[tuple[Newest, str]]:
    """Serve while inside; yields where pictures are put, and the page's URL.

    Raises:
        SegppError: the port is taken, or not allowed.
    """
    newest = Newest()
    try:
        server = _Server(address, newest)
    except OSError as error:
        raise SegppError(
            f"Nothing can be served at {address[0]}:{address[1]}: {one_line(error.strerror or error)}.",
            "a free port.",
            commands.option("serve", ":0") + " takes any free one.",
        ) from error
    thread = threading.Thread(target=server.serve_forever, name="mjpeg", daemon=True)
    thread.start()
    try:
        yield newest, f"http://{server.server_address[0]!s}:{server.server_address[1]}/"
    finally:
        server.is_ending = True
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], newest: Newest) -> None:
        self.newest = newest
        self.is_ending = False
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """Answer with the page, or with pictures until the viewer leaves."""
        if self.path == "/":
            self._answer("text/html; charset=utf-8")
            self.wfile.write(_PAGE)
        elif self.path == "/stream":
            self._answer(f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
            with contextlib.suppress(OSError):  # the viewer left
                self._stream()
        else:
            self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""

    def _answer(self, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        self.end_headers()

    def _stream(self) -> None:
        newest, number = self.server.newest, 0
        newest.viewers += 1
        try:
            while not self.server.is_ending:
                jpeg, number = newest.after(number)
                if jpeg:
                    head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                    self.wfile.write(head.encode() + jpeg + b"\r\n")
        finally:
            newest.viewers -= 1
