"""What other tools take as a source of pictures and this one does not: named for what it is."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from segpp_deploy.errors import SegppError

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.+)")  # a Path has made one slash of two
_LIST_SUFFIXES = (".txt", ".csv", ".lst")
_EXPECTED = "a picture, a directory of pictures, a video, a stream (rtsp://..), or a camera (/dev/video0)."


def require_file_source(source: Path) -> None:
    """Refuse patterns, lists of names, and addresses and cameras that `live_source` does not know.

    Raises:
        SegppError: it is one of these, and no file or directory of that name is there.
    """
    name = source.name
    if source.suffix.lower() in _LIST_SUFFIXES and source.is_file():
        raise SegppError(
            f"{source} is a list, and lists are not read.",
            _EXPECTED,
            "Copy or link the pictures that it names into one directory.",
        )
    if source.exists():
        return
    address = _ADDRESS.fullmatch(str(source))
    if address:
        url = f"{address[1]}://{address[2]}"
        record = f"ffmpeg -i {shlex.quote(url)} -t 60 -c copy recorded.mp4"
        what = f"{url} is an address of a kind that is not read."
        raise SegppError(what, _EXPECTED, f"Record it first: {record}")
    if name.isdecimal():
        raise SegppError(f"There is no file {source}; a camera is named by its device.", _EXPECTED, f"/dev/video{name}")
    if any(mark in name for mark in "*?["):
        raise SegppError(
            f"{source} is a pattern that no file fits, or that the shell was not allowed to expand.",
            _EXPECTED,
            f"Name the directory: {shlex.quote(str(source.parent))}",
        )
