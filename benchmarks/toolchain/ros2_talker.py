"""What stands around the node of the ROS 2 package: a camera, and a listener. `ros2_node` runs it with ROS' Python.

    python -m benchmarks.toolchain.ros2_talker PICTURES ANSWERS.npz

Prints a JSON object; the masks, in the order of the pictures, go into the file.
"""

from __future__ import annotations

import json
import sys
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ENCODINGS = ("rgb8", "bgr8", "bgra8", "mono8")
_PADDING = 13  # bytes at the end of each row
_WAIT_S = 30.0
_BURST = 30
_UNCOUNTED = 10_000


def make_picture(index: int) -> NDArray[np.uint8]:
    """Return a picture uint8 [H, W, 3] of blocks, another for every index; grey where it is sent as grey."""
    blocks = np.random.default_rng(index).integers(0, 256, (6, 8, 3), np.uint8)
    if ENCODINGS[index % len(ENCODINGS)] == "mono8":
        blocks[:] = blocks[..., :1]
    return np.repeat(np.repeat(blocks, 20, axis=0), 20, axis=1)


def fill_message(message: Any, index: int) -> Any:
    """Fill a `sensor_msgs/Image` with a picture and a header of its own."""
    encoding, picture = ENCODINGS[index % len(ENCODINGS)], make_picture(index)
    stored = {
        "rgb8": picture,
        "bgr8": picture[..., ::-1],
        "bgra8": np.concatenate([picture[..., ::-1], picture[..., :1]], axis=2),
        "mono8": picture[..., 0],
    }[encoding]
    rows = np.pad(stored.reshape(len(stored), -1), ((0, 0), (0, _PADDING)))
    message.header.frame_id = f"camera_{index}"
    message.header.stamp.sec, message.header.stamp.nanosec = index, 7 * index
    message.height, message.width = picture.shape[:2]
    message.encoding, message.step, message.data = encoding, rows.shape[1], array("B", rows.tobytes())
    return message


class Talker:
    """A camera and a listener."""

    def __init__(self) -> None:
        import rclpy
        from sensor_msgs.msg import Image

        rclpy.init()
        self._image_type = Image
        self._spin_once = rclpy.spin_once
        self._node = rclpy.create_node("talker")
        self._camera = self._node.create_publisher(Image, "image", 1)
        self.masks: list[Any] = []
        self._listener = self._node.create_subscription(Image, "mask", self.masks.append, 10)

    def wait(self, done: Callable[[], object], seconds: float = _WAIT_S) -> bool:
        """Hear what comes until something is so, and return whether it is."""
        end = time.monotonic() + seconds
        while not done() and time.monotonic() < end:
            self._spin_once(self._node, timeout_sec=0.05)
        return bool(done())

    def send(self, index: int) -> Any:
        """Send a picture, and return it."""
        message = fill_message(self._image_type(), index)
        self._camera.publish(message)
        return message

    def meet(self) -> None:
        """Send a picture until it is answered: what is sent before both sides know each other is lost."""
        end = time.monotonic() + _WAIT_S
        while not self.masks and time.monotonic() < end:
            self.send(_UNCOUNTED)
            self.wait(lambda: self.masks, seconds=1.0)
        self.wait(lambda: False, seconds=1.0)  # for the answers to those that were sent in vain
        self.masks.clear()

    def ask(self, count: int) -> list[Any]:
        """Send pictures, each when the one before was answered, as long as they are; return them."""
        sent: list[Any] = []
        while len(sent) < count and len(self.masks) == len(sent):
            sent.append(self.send(len(sent)))
            self.wait(lambda: len(self.masks) == len(sent))
        return sent

    def flood(self, first: int) -> bool:
        """Send many pictures at once, and return whether the last was answered."""
        last = [self.send(index) for index in range(first, first + _BURST)][-1]
        return self.wait(lambda: any(mask.header == last.header for mask in self.masks[-1:]))

    def see_overlay(self) -> str | None:
        """Return the encoding of a picture with the classes drawn over it; None if there is none."""
        seen: list[Any] = []
        viewer = self._node.create_subscription(self._image_type, "overlay", seen.append, 1)
        end = time.monotonic() + _WAIT_S
        while not seen and time.monotonic() < end:  # the node draws for those that it knows of
            self.send(_UNCOUNTED)
            self.wait(lambda: seen, seconds=1.0)
        self._node.destroy_subscription(viewer)
        return str(seen[0].encoding) if seen else None

    def hear_classes(self) -> Any:
        """Return what was announced before anybody listened; None if nothing is heard."""
        from rclpy.qos import DurabilityPolicy, QoSProfile
        from std_msgs.msg import String

        heard: list[Any] = []
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        late = self._node.create_subscription(String, "label_info", heard.append, latched)
        self.wait(lambda: heard)
        self._node.destroy_subscription(late)
        return json.loads(heard[0].data) if heard else None


def main() -> None:
    """Send pictures one by one, ask for the classes' names, then send many pictures at once."""
    count, answers = int(sys.argv[1]), Path(sys.argv[2])
    talker = Talker()
    talker.meet()
    sent = talker.ask(count)
    masks = list(talker.masks)
    classes = talker.hear_classes()
    overlay = talker.see_overlay()
    talker.masks.clear()
    newest = talker.flood(count)
    kept = [picture.header == mask.header for picture, mask in zip(sent, masks, strict=False)]
    np.savez(answers, *(np.frombuffer(mask.data, np.uint8).reshape(mask.height, mask.step) for mask in masks))
    result = {
        "pictures": len(sent),
        "masks": len(masks),
        "headers_kept": len(kept) == count and all(kept),
        "encodings": sorted({mask.encoding for mask in masks}),
        "burst": _BURST,
        "burst_masks": len(talker.masks),
        "newest_answered": newest,
        "overlay": overlay,
        "classes": classes,
    }
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
