"""From `sensor_msgs/Image` to pictures, and from label maps to messages; ROS itself is not needed for it."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

ByteImage = NDArray[np.uint8]
LabelMap = NDArray[np.unsignedinteger[Any]]

CHANNELS: dict[str, tuple[int, ...]] = {
    "rgb8": (0, 1, 2),
    "bgr8": (2, 1, 0),
    "bgra8": (2, 1, 0, 3),
    "mono8": (0,),
}
"""The encodings that can be read, and where each has red, green and blue; grey is all three."""

MASK_ENCODINGS = {"uint8": "mono8", "uint16": "mono16"}


class ImageMessage(Protocol):
    """The fields of `sensor_msgs/Image`."""

    header: Any
    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: Any


class UnusableImageError(Exception):
    """A message holds no picture that can be read; the message of the error says why."""


def read_picture(message: ImageMessage) -> ByteImage:
    """Return the picture uint8 [H, W, 3] RGB of a message.

    Rows may be longer than the picture is wide.

    Raises:
        UnusableImageError: another encoding, or fewer bytes than the size says.
    """
    channels = CHANNELS.get(message.encoding)
    if channels is None:
        raise UnusableImageError(f"encoding {message.encoding!r}; one of {', '.join(CHANNELS)} is expected")
    height, width, row_bytes = message.height, message.width, message.width * len(channels)
    data = np.frombuffer(message.data, np.uint8)
    if not row_bytes or message.step < row_bytes or data.size < message.step * height or not height:
        raise UnusableImageError(
            f"{width}x{height} {message.encoding} with {message.step} bytes a row and {data.size} in all"
        )
    rows = data[: message.step * height].reshape(height, message.step)[:, :row_bytes]
    pixels = rows.reshape(height, width, len(channels))
    order = channels[:3] if len(channels) > 1 else (0, 0, 0)
    picture: ByteImage = np.ascontiguousarray(pixels[..., order])
    return picture


def fill_image(message: ImageMessage, header: Any, pixels: LabelMap) -> ImageMessage:
    """Fill a new message with a label map [H, W] of bytes (mono8) or 16 bits (mono16), or RGB bytes [H, W, 3].

    Args:
        message: an empty one.
        header: of the picture that it is about.
        pixels: what it holds.
    """
    message.header = header
    message.height, message.width = pixels.shape[:2]
    message.encoding = "rgb8" if pixels.ndim == 3 else MASK_ENCODINGS[pixels.dtype.name]
    message.is_bigendian = 0
    message.step = pixels.itemsize * (pixels.size // message.height)
    # ROS looks at every element of what is no such array
    message.data = array("B", np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<")).tobytes())
    return message


def fill_label_info(message: Any, make_class: Callable[[], Any], names: Sequence[str]) -> Any:
    """Fill a new `vision_msgs/LabelInfo` with the classes by index; `make_class` makes a `VisionClass`."""
    for index, name in enumerate(names):
        one = make_class()
        one.class_id, one.class_name = index, name
        message.class_map.append(one)
    return message


def label_info_text(names: Sequence[str], unlabelled: int) -> str:
    """Return the same as JSON, with the value of pixels of no class.

    Example:
        >>> print(label_info_text(["road", "sky"], 255))
        {"class_map": [{"class_id": 0, "class_name": "road"}, {"class_id": 1, "class_name": "sky"}], "unlabelled": 255}
    """
    classes = [{"class_id": index, "class_name": name} for index, name in enumerate(names)]
    return json.dumps({"class_map": classes, "unlabelled": unlabelled})
