"""Download a file once, and trust it afterwards only if its hash is the recorded one."""

from __future__ import annotations

import hashlib
import http.client
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from segpp_deploy import commands
from segpp_deploy.errors import SegppError, one_line
from segpp_deploy.files import CACHE_VARIABLE, atomic_path, cache_folder, require_writable, sha256_of, write_text

TIMEOUT_S = 30.0

_CHECKPOINT = commands.option("checkpoint") + "."


def cached_path(name: str, url: str) -> Path:
    """Return where the file at `url` is kept; another address gets another file."""
    return cache_folder() / "checkpoints" / f"{name}-{hashlib.sha256(url.encode()).hexdigest()[:8]}.weights"


def fetch(url: str, target: Path, expected_sha256: str | None, tell: Callable[[str], None]) -> Path:
    """Return `target`, downloaded from `url` unless it is there, with its hash checked.

    The hash is `expected_sha256`, or the one recorded beside `target` when it was first downloaded.

    Raises:
        SegppError: no network, an error of the server, a web page instead of a file, or another hash.
    """
    record = target.with_name(target.name + ".sha256")
    expected = expected_sha256 or _read_record(record)
    if target.is_file():
        check_sha256(target, expected, f"Delete {target} to download it again.")
        return target
    _require_cache(target)
    tell(f"Downloading {url} to {target}")
    with atomic_path(target) as temporary:
        _download(url, temporary)
        found = sha256_of(temporary)
        if expected is not None and found != expected:
            accept = "correct sha256 in the card" if expected_sha256 else f"delete {record}"
            fix = f"Ask its publisher what changed; to accept the new file, {accept}."
            raise _mismatch(f"The download from {url}", found, expected, fix)
    if expected is None:
        tell(f"First download of {url}: its SHA-256 {found} is recorded in {record} and checked from now on.")
        write_text(record, found + "\n")
    return target


def _require_cache(target: Path) -> None:
    try:
        require_writable(target)
    except SegppError as error:
        elsewhere = f"Name another in the environment variable {CACHE_VARIABLE}, or give the weights with "
        fix = elsewhere + commands.option("checkpoint", "FILE") + "."
        raise SegppError(error.what, "a directory that downloads can be kept in.", fix) from error


def check_sha256(path: Path, expected: str | None, fix: str) -> None:
    """Raise a `SegppError` if the file's hash is another; None expects nothing."""
    if expected is not None and (found := sha256_of(path)) != expected:
        raise _mismatch(str(path), found, expected, fix)


def _read_record(record: Path) -> str | None:
    return record.read_text(encoding="utf-8", errors="replace").strip() if record.is_file() else None


def _download(url: str, target: Path) -> None:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:
            if response.headers.get_content_type() == "text/html":
                raise SegppError(
                    f"{url} answered with a web page.",
                    "the file itself.",
                    "Open the address in a browser, download the file, and give it with " + _CHECKPOINT,
                )
            with open(target, "wb") as stream:
                shutil.copyfileobj(response, stream)
            _check_length(url, target, response.headers.get("Content-Length"))
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error
        raise SegppError(
            f"{url} could not be downloaded: {one_line(reason)}.",
            "a network connection to that server.",
            "Download the file on another machine and give it with " + _CHECKPOINT,
        ) from error


def _check_length(url: str, target: Path, announced: str | None) -> None:
    size = target.stat().st_size
    if announced is not None and announced.isdecimal() and (len(announced) > 18 or int(announced) != size):
        raise SegppError(f"The download from {url} broke off after {size} bytes.", f"{announced} bytes.", "Try again.")


def _mismatch(subject: str, found: str, expected: str, fix: str) -> SegppError:
    return SegppError(f"{subject} has the SHA-256 {found}.", f"{expected}, as recorded.", fix)
