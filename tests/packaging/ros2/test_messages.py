"""Messages to pictures and back, on plain objects with the fields of ROS' messages."""

from __future__ import annotations

import json
from array import array
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from segpp_deploy.packaging.ros2.node.messages import (
    CHANNELS,
    UnusableImageError,
    fill_image,
    fill_label_info,
    label_info_text,
    read_picture,
)

RGB = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
ALPHA = np.full((2, 3, 1), 77, np.uint8)
STORED = {
    "rgb8": RGB,
    "bgr8": RGB[..., ::-1],
    "bgra8": np.concatenate([RGB[..., ::-1], ALPHA], 2),
    "mono8": RGB[..., :1],
}


def message_of(encoding: str, padding: int = 0) -> SimpleNamespace:
    """A message whose rows are `padding` bytes longer than the picture."""
    rows = STORED[encoding].reshape(2, -1)
    data = np.pad(rows, ((0, 0), (0, padding)), constant_values=200)
    message = SimpleNamespace(
        header=SimpleNamespace(frame_id="camera"), height=2, width=3, encoding=encoding, is_bigendian=0
    )
    message.step, message.data = data.shape[1], array("B", data.tobytes())
    return message


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("encoding", CHANNELS)
def test_pictures_are_read(encoding: str, padding: int) -> None:
    picture = read_picture(message_of(encoding, padding))
    np.testing.assert_array_equal(picture, RGB if encoding != "mono8" else np.repeat(RGB[..., :1], 3, axis=2))
    assert picture.flags.c_contiguous


def test_bytes_are_read_as_arrays_are() -> None:
    message = message_of("rgb8")
    message.data = bytes(message.data)
    np.testing.assert_array_equal(read_picture(message), RGB)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"encoding": "bayer_rggb8"}, "encoding 'bayer_rggb8'; one of rgb8, bgr8, bgra8, mono8 is expected"),
        ({"step": 8}, "3x2 rgb8 with 8 bytes a row and 18 in all"),
        ({"height": 3}, "3x3 rgb8 with 9 bytes a row and 18 in all"),
        ({"width": 0}, "0x2 rgb8"),
        ({"height": 0}, "3x0 rgb8"),
        ({"data": array("B")}, "and 0 in all"),
    ],
)
def test_what_is_no_picture_is_refused(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(UnusableImageError, match=r"bytes|encoding") as caught:
        read_picture(SimpleNamespace(**{**vars(message_of("rgb8")), **fields}))  # type: ignore[arg-type]
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("pixels", "encoding", "step"),
    [
        (np.array([[0, 1, 2], [255, 4, 5]], np.uint8), "mono8", 3),
        (np.array([[0, 300, 2], [65535, 4, 5]], np.uint16), "mono16", 6),
        (np.ascontiguousarray(RGB), "rgb8", 9),
        (RGB[:, ::-1], "rgb8", 9),
    ],
)
def test_images_are_filled(pixels: Any, encoding: str, step: int) -> None:
    header = SimpleNamespace(frame_id="camera")
    message = fill_image(SimpleNamespace(), header, pixels)  # type: ignore[arg-type]
    assert message.header is header
    assert (message.height, message.width, message.encoding, message.step) == (2, 3, encoding, step)
    assert isinstance(message.data, array)
    np.testing.assert_array_equal(np.frombuffer(message.data, pixels.dtype).reshape(pixels.shape), pixels)


def test_classes_are_told() -> None:
    message = fill_label_info(SimpleNamespace(class_map=[]), SimpleNamespace, ("road", "sky"))
    assert [(one.class_id, one.class_name) for one in message.class_map] == [(0, "road"), (1, "sky")]
    told = json.loads(label_info_text(("road", "sky"), 255))
    assert told == {
        "class_map": [{"class_id": 0, "class_name": "road"}, {"class_id": 1, "class_name": "sky"}],
        "unlabelled": 255,
    }
