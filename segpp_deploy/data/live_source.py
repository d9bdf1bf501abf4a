"""Sources that go on by themselves: cameras and streams, by the name that a user gives them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from segpp_deploy.config import Choice
from segpp_deploy.data.places import Place, parse_place

_STREAM = re.compile(r"(rtsps?|rtmps?|https?|udp|tcp|srt|rtp)://.+", re.IGNORECASE)
_CAMERA = re.compile(r"/dev/video\d+")


class Drop(Choice):
    """Which frames a source that is faster than the engine loses."""

    LATEST = "latest"
    NONE = "none"


@dataclass(frozen=True)
class LiveSource:
    """A camera or a stream.

    Args:
        address: a URL, or a device.
    """

    address: str

    @property
    def is_camera(self) -> bool:
        """Whether it is a device of this machine."""
        return _CAMERA.fullmatch(self.address) is not None

    @property
    def stem(self) -> str:
        """A name for files about it.

        Example:
            >>> LiveSource("rtsp://10.0.0.7:554/cam/1?profile=2").stem
            'rtsp-10.0.0.7-554-cam-1-profile-2'
        """
        return re.sub(r"[^A-Za-z0-9._]+", "-", _without_secret(self.address)).strip("-.")

    def __str__(self) -> str:
        return _without_secret(self.address)


def parse_source_name(text: str) -> Place | LiveSource:
    """Return the camera or stream that a text names, else the path, or the address of a store of files.

    Example:
        >>> parse_source_name("/dev/video0"), parse_source_name("frames"), parse_source_name("s3://bucket/frames")
        (LiveSource(address='/dev/video0'), PosixPath('frames'), Uri(address='s3://bucket/frames'))
    """
    is_live = _STREAM.fullmatch(text) or _CAMERA.fullmatch(text)
    return LiveSource(text) if is_live else parse_place(text)


def _without_secret(address: str) -> str:
    """Leave out name and password, which are not for logs."""
    return re.sub(r"//[^/@]*@", "//", address)
