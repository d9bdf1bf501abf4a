"""Where files are: a path of this machine, or an address of a store that fsspec opens, such as s3://bucket/street.jpg.

Readers and writers know paths alone: `fetched` and `delivered` put a file there for as long as it is used.
"""

from __future__ import annotations

import contextlib
import importlib
import re
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from segpp_deploy.errors import SegppError, UnreadableFileError, one_line

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://.+")


@dataclass(frozen=True)
class Uri:
    """A file or a directory of a store.

    Args:
        address: SCHEME://PLACE.

    Example:
        >>> frame = Uri("s3://bucket/day 1") / "a.jpg"
        >>> str(frame), frame.name, frame.stem, frame.suffix, str(frame.parent)
        ('s3://bucket/day 1/a.jpg', 'a.jpg', 'a', '.jpg', 's3://bucket/day 1')
    """

    address: str

    @property
    def name(self) -> str:
        """The last part."""
        return self.address.rstrip("/").rpartition("/")[2]

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        """What follows the name's last dot, with it."""
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> Uri:
        """The directory it is in."""
        return Uri(self.address.rstrip("/").rpartition("/")[0])

    def __truediv__(self, name: str) -> Uri:
        return Uri(f"{self.address.rstrip('/')}/{name}")

    def __str__(self) -> str:
        return self.address


Place = Path | Uri


def parse_place(text: str) -> Place:
    """Return the address or the path that a text is.

    Example:
        >>> parse_place("gs://bucket/frames"), parse_place("frames/a.jpg")
        (Uri(address='gs://bucket/frames'), PosixPath('frames/a.jpg'))
    """
    return Uri(text) if _ADDRESS.fullmatch(text) else Path(text)


def list_store(directory: Uri) -> list[Uri]:
    """Return the files of a directory, sorted by name; the file itself where it is one.

    Raises:
        SegppError: it cannot be read, or there is none.
    """
    store, path = _open_store(directory)
    try:
        if store.isfile(path):
            return [directory]
        entries = store.ls(path, detail=True)
    except Exception as error:  # each store has its own
        raise SegppError(
            f"{directory} cannot be read: {one_line(error)}.", "a file or a directory of that store.", "Check it."
        ) from error
    names = sorted(PurePosixPath(entry["name"]).name for entry in entries if entry["type"] == "file")
    return [directory / name for name in names]


@contextlib.contextmanager
def fetched(place: Place) -> Iterator[Path]:
    """Yield a file as a path; of a store, a copy that is gone after the block.

    Raises:
        UnreadableFileError: the store does not give it; or what the block raises, with the address for the copy.
    """
    if isinstance(place, Path):
        yield place
        return
    with tempfile.TemporaryDirectory(prefix="segpp-") as folder:
        copy = Path(folder) / place.name
        store, path = _open_store(place)
        try:
            store.get_file(path, str(copy))
        except Exception as error:  # each store has its own
            raise UnreadableFileError(
                f"{place} cannot be read: {one_line(error)}.", "a file of that store.", "Check the address."
            ) from error
        try:
            yield copy
        except UnreadableFileError as error:
            what = error.what.replace(str(copy), str(place))
            raise UnreadableFileError(what, error.expected, error.fix) from error


@contextlib.contextmanager
def delivered(place: Place) -> Iterator[Path]:
    """Yield a path to write a file to; a store then takes it under another name, which it changes last.

    To write whole or not at all where a path is given is the writer's part, as ours all do.

    Raises:
        SegppError: the store does not take it.
    """
    if isinstance(place, Path):
        yield place
        return
    with tempfile.TemporaryDirectory(prefix="segpp-") as folder:
        copy = Path(folder) / place.name
        yield copy
        store, path = _open_store(place)
        before, _, name = path.rpartition("/")
        temporary = f"{before}/.{uuid.uuid4().hex}.{name}"
        try:
            store.makedirs(before, exist_ok=True)
            store.put_file(str(copy), temporary)
            store.mv(temporary, path)
        except Exception as error:  # each store has its own
            raise SegppError(
                f"{place} cannot be written: {one_line(error)}.", "a store that takes files.", "Check the address."
            ) from error


def _open_store(uri: Uri) -> tuple[Any, str]:
    """Return fsspec's file system, and the path in it.

    Raises:
        SegppError: nobody knows such addresses, or who does is not installed.
    """
    fsspec: Any = importlib.import_module("fsspec")  # PyTorch brings it
    try:
        store, path = fsspec.core.url_to_fs(uri.address)
    except ImportError as error:
        known = importlib.import_module("fsspec.registry").known_implementations[uri.address.partition("://")[0]]
        raise SegppError(
            f"{uri} is of a store whose library is not installed.",
            f"what fsspec needs for it: {one_line(error)}.",
            f"pip install {known['class'].partition('.')[0]}",
        ) from error
    except Exception as error:  # an unknown scheme, no credentials
        raise SegppError(
            f"{uri} cannot be opened: {one_line(error)}.", "a path, or an address that fsspec knows.", "Check it."
        ) from error
    return store, path
