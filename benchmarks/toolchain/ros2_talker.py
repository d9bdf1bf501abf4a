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


def main() -> None:
    """Send pictures one by one, wait for each mask; ask for the classes' names; then send many at once."""
    import rclpy
    from rclpy.qos import DurabilityPolicy, QoSProfile
    from sensor_msgs.msg import Image
    from std_msgs.msg import String

    count, answers = int(sys.argv[1]), Path(sys.argv[2])
    rclpy.init()
    node = rclpy.create_node("talker")
    masks: list[Any] = []
    classes: list[str] = []

    def wait(done: Callable[[], object]) -> bool:
        end = time.monotonic() + _WAIT_S
        while not done() and time.monotonic() < end:
            rclpy.spin_once(node, timeout_sec=0.05)
        return bool(done())

    camera = node.create_publisher(Image, "image", 1)
    listener = node.create_subscription(Image, "mask", masks.append, count)
    found = wait(lambda: camera.get_subscription_count() and node.count_publishers("mask"))
    sent = []
    for index in range(count if found else 0):
        sent.append(fill_message(Image(), index))
        camera.publish(sent[-1])
        if not wait(lambda: len(masks) > index):  # noqa: B023  # it is asked at once
            break
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    late = node.create_subscription(String, "label_info", lambda message: classes.append(message.data), latched)
    wait(lambda: classes)
    kept = [picture.header == mask.header for picture, mask in zip(sent, masks, strict=False)]
    np.savez(answers, *(np.frombuffer(mask.data, np.uint8).reshape(mask.height, mask.step) for mask in masks))
    answered = len(masks)
    for index in range(_BURST if found else 0):
        camera.publish(fill_message(Image(), count + index))
    newest = wait(lambda: masks[-1].header.frame_id == f"camera_{count + _BURST - 1}") if masks else False
    result = {
        "pictures": len(sent),
        "masks": answered,
        "headers_kept": len(kept) == count and all(kept),
        "encodings": sorted({mask.encoding for mask in masks}),
        "burst": _BURST,
        "burst_masks": len(masks) - answered,
        "newest_answered": newest,
        "classes": json.loads(classes[0]) if classes else None,
    }
    print(json.dumps(result), flush=True)
    node.destroy_subscription(listener)
    node.destroy_subscription(late)
    node.destroy_node()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
