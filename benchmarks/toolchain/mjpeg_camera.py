"""A camera on this machine that sends JPEGs over HTTP, as cheap network cameras do.

    python -m benchmarks.toolchain.mjpeg_camera PORT PANORAMA

`coded_picture` says what is seen at http://127.0.0.1:PORT/stream, 30 frames a second.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.toolchain.coded_picture import FPS, HEIGHT, WIDTH, Camera
from segpp_deploy.workflows.predict.mjpeg_server import LOOPBACK, serve_newest


def main() -> None:
    """Serve until killed."""
    port, panorama = sys.argv[1:]
    camera = Camera(Path(panorama))
    with serve_newest((LOOPBACK, int(port))) as (newest, _):
        number, next_s = 0, time.monotonic()
        while True:
            newest.show(np.frombuffer(camera.take(number), np.uint8).reshape(HEIGHT, WIDTH, 3))
            number, next_s = number + 1, next_s + 1 / FPS
            time.sleep(max(0.0, next_s - time.monotonic()))


if __name__ == "__main__":
    main()
