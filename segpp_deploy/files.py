"""Files that are written whole or not at all, their hashes, and the folder for what can be made again."""

from __future__ import annotations

import codecs
import contextlib
import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from segpp_deploy.errors import SegppError, one_line

MAX_TEXT_BYTES = 16 << 20  # of a JSON or YAML file; the largest of ours, a range file, has a hundredth of that

CACHE_VARIABLE = "SEGPP_CACHE"


@contextlib.contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; rename it to `target` only if the block ends well.

    On any error, Ctrl-C included, the temporary file is removed and `target` keeps its old content.
    Errors of the file system (no permission, disk full) become a `SegppError`.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with atomic_path(folder / "a.txt") as temporary:
        ...     _ = temporary.write_text("whole")
        >>> [p.name for p in folder.iterdir()]
        ['a.txt']
    """
    target = Path(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem}.", suffix=".tmp" + target.suffix)
        os.close(descriptor)
    except OSError as error:
        raise write_error(target, error) from error
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp makes 0600 files
        os.replace(temporary, target)
    except OSError as error:
        raise write_error(target, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def require_writable(target: Path) -> None:
    """Check, before long work begins, that the file `target` can be written; nothing is left behind.

    Raises:
        SegppError: it is a directory, or the nearest directory above it that exists takes no files.
    """
    target = Path(target)
    if target.is_dir():
        raise SegppError(
            f"Cannot write {target}: it is a directory.", "a file name.", f"Name a file in it: {target / 'NAME'}"
        )
    try:
        folder = next(parent for parent in target.absolute().parents if parent.exists())
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise write_error(target, error) from error


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8, or in UTF-16 as some Windows editors save it; a byte order mark is left out.

    Raises:
        OSError: it cannot be read.
        UnicodeDecodeError: it is no such text.
    """
    data = Path(path).read_bytes()
    is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if is_utf16 else "utf-8-sig")


def write_text(target: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(target: Path, data: bytes) -> None:
    """Write bytes atomically."""
    with atomic_path(target) as temporary:
        temporary.write_bytes(data)


class MalformedFileError(Exception):
    """A file is not text of its format; the message says why, in one line."""


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises:
        MalformedFileError: it is no JSON, nested too deeply, or too large to be what was meant.
    """
    return _parse(path, json.loads)


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file: plain values only, nothing in it is run.

    Raises:
        MalformedFileError: it is no YAML, nested too deeply, or too large to be what was meant.
    """
    import yaml  # the command line loads this module for every command

    return _parse(path, yaml.safe_load)


def _parse(path: Path, parse: Callable[[str], Any]) -> Any:
    try:
        size_bytes = path.stat().st_size
        if size_bytes > MAX_TEXT_BYTES:
            raise MalformedFileError(f"it has {size_bytes / 1e6:.0f} MB")
        return parse(read_text(path))
    except RecursionError as error:
        raise MalformedFileError("it is nested too deeply") from error
    except (MemoryError, MalformedFileError):
        raise
    except Exception as error:  # the parsers let what they call raise what it likes: a date of month 13, for one
        raise MalformedFileError(one_line(error)) from error


def sha256_of(path: Path) -> str:
    """Return the hex SHA-256 of a file, read in blocks."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def key_of(facts: Mapping[str, Any]) -> str:
    """Return a hash of facts, plain JSON values.

    Example:
        >>> key_of({"size": 1, "mode": "fast"}) == key_of({"mode": "fast", "size": 1})
        True
    """
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def require_file(path: Path, kind: str, fix: str) -> Path:
    """Return `path` if it is a readable, non-empty file, else raise a `SegppError` naming `kind`."""
    path = Path(path)
    expected = f"{'an' if kind[0] in 'aeioAEIO' else 'a'} {kind}."
    try:
        exists = path.exists()
    except OSError as error:  # a name that cannot be one, or a directory that may not be entered
        raise SegppError(f"{path} cannot be opened: {error.strerror}.", expected, fix) from error
    if not exists:
        raise SegppError(f"No such file: {path}.", expected, fix)
    if path.is_dir():
        raise SegppError(f"{path} is a directory.", expected, fix)
    if not os.access(path, os.R_OK):
        raise SegppError(f"{path} is not readable.", f"a readable {kind}.", f"chmod u+r {path}")
    if path.stat().st_size == 0:
        raise SegppError(f"{path} is empty (0 bytes).", expected, fix)
    return path


def require_suffix(path: Path, kind: str, suffixes: Sequence[str], reason: str = "") -> Path:
    """Return `path` if its name ends in one of `suffixes`, else raise a `SegppError` that suggests the first of them.

    Args:
        path: a file to be written.
        kind: what would be written, e.g. "picture".
        suffixes: with their dots, in lower case.
        reason: why no others.
    """
    path = Path(path)
    if path.suffix.lower() not in suffixes:
        raise SegppError(
            f"Cannot write a {kind} named {path.name!r}.",
            f"a name ending in {', '.join(suffixes)}{f' ({reason})' if reason else ''}.",
            f"Name it {path.with_suffix(suffixes[0])}",
        )
    return path


def walk_files(directory: Path) -> Iterator[Path]:
    """Yield all files below a directory, in linked directories too; one that contains itself is entered once.

    A link that leads nowhere is yielded like a file; where there is no directory there are no files.
    """
    if Path(directory).is_dir():
        yield from _walk(Path(directory), frozenset())


def _walk(directory: Path, above: frozenset[tuple[int, int]]) -> Iterator[Path]:
    place = directory.stat()
    identity = (place.st_dev, place.st_ino)
    if identity in above:
        return
    for entry in sorted(directory.iterdir()):
        if entry.is_dir():
            yield from _walk(entry, above | {identity})
        else:
            yield entry


def cache_folder() -> Path:
    """Return where downloads and built libraries are kept: SEGPP_CACHE, else the user's cache directory."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen)
    base = os.environ.get("LOCALAPPDATA") if os.name == "nt" else os.environ.get("XDG_CACHE_HOME")
    return Path(base or Path.home() / ".cache") / "segpp-deploy"


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def write_error(target: Path, error: OSError) -> SegppError:
    """Return what a refused write is to the user."""
    if error.errno == errno.ENOSPC:
        return SegppError(
            f"The disk filled up while {target} was being written; nothing was left behind.",
            "enough free space on that disk.",
            f"Free some space (df -h {target.parent}) or write elsewhere with -o.",
        )
    return SegppError(
        f"Cannot write {target}: {error.strerror or error}.",
        "a directory you may write to.",
        "Choose another place with -o, or change the directory's permissions.",
    )
