"""An RTSP camera on this machine, by GStreamer; runs with the Python that has it, which is the system's.

    apt-get install gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly
    /usr/bin/python3 -m benchmarks.toolchain.rtsp_server PORT PANORAMA

`coded_picture` says what is seen at rtsp://127.0.0.1:PORT/camera: H.264, 30 frames a second.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.toolchain.coded_picture import FPS, HEIGHT, WIDTH, Camera

PATH = "/camera"
_PIPELINE = (
    "( appsrc name=camera is-live=true format=time do-timestamp=true "
    f"caps=video/x-raw,format=RGB,width={WIDTH},height={HEIGHT},framerate={FPS}/1 ! videoconvert ! "
    f"video/x-raw,format=I420 ! x264enc tune=zerolatency speed-preset=ultrafast bitrate=4000 key-int-max={2 * FPS} ! "
    "rtph264pay name=pay0 pt=96 config-interval=1 )"
)


def main() -> None:
    """Serve until killed."""
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer

    port, panorama = sys.argv[1:]
    Gst.init(None)
    camera = Camera(Path(panorama))

    def begin(_factory: Any, media: Any) -> None:
        source = media.get_element().get_by_name("camera")
        is_asked = threading.Event()
        source.connect("need-data", lambda *_: is_asked.set())
        threading.Thread(target=_film, args=(camera, source, is_asked, Gst), daemon=True).start()

    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(_PIPELINE)
    factory.set_shared(True)
    factory.connect("media-configure", begin)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    server.get_mount_points().add_factory(PATH, factory)
    server.attach(None)
    GLib.MainLoop().run()


def _film(camera: Camera, source: Any, is_asked: threading.Event, gst: Any) -> None:
    """Hand over pictures at their rate until nobody takes them."""
    is_asked.wait()
    number, next_s = 0, time.monotonic()
    while source.emit("push-buffer", gst.Buffer.new_wrapped(camera.take(number))) == gst.FlowReturn.OK:
        number, next_s = number + 1, next_s + 1 / FPS
        time.sleep(max(0.0, next_s - time.monotonic()))


if __name__ == "__main__":
    main()
