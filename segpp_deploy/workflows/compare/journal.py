"""What a comparison has found out so far: one line for each finding, on the disk before the next begins.

A line says what it is about by a key (`files.key_of`), a hash of everything that the finding depends on; so a finding
of other weights, pictures, options or versions is not mistaken for one of these. A process may be ended at any moment:
the last line may then be torn, and is left out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segpp_deploy.errors import SegppError
from segpp_deploy.files import require_writable, write_error


class Journal:
    """Findings by subject and key, kept in a file that only grows.

    Args:
        path: the file; it need not be there.
        fresh: forget what it holds.

    Raises:
        SegppError: it cannot be read or written.
    """

    def __init__(self, path: Path, *, fresh: bool = False) -> None:
        require_writable(path)
        self._path = path
        self._findings: dict[tuple[str, str], dict[str, Any]] = {}
        self._keys: dict[str, set[str]] = {}
        if fresh:
            path.unlink(missing_ok=True)
        self._is_torn = self._read()

    def find(self, subject: str, key: str) -> dict[str, Any] | None:
        """Return what is known of a subject under these conditions; None where nothing is."""
        return self._findings.get((subject, key))

    def is_stale(self, subject: str, key: str) -> bool:
        """Whether something is known of a subject, but only under other conditions."""
        return subject in self._keys and key not in self._keys[subject]

    def add(self, subject: str, key: str, finding: Mapping[str, Any]) -> None:
        """Keep a finding; it is on the disk when this returns.

        Raises:
            SegppError: the disk is full, or the file cannot be written.
        """
        line = json.dumps({"subject": subject, "key": key, "finding": finding}).encode() + b"\n"
        whole, self._is_torn = (b"\n" + line if self._is_torn else line), True
        try:
            _append(self._path, whole)
        except OSError as error:
            raise write_error(self._path, error) from error
        self._is_torn = False
        self._remember(subject, key, dict(finding))

    def _remember(self, subject: str, key: str, finding: dict[str, Any]) -> None:
        self._findings[subject, key] = finding
        self._keys.setdefault(subject, set()).add(key)

    def _read(self) -> bool:
        """Read what is there, and say whether the last line is torn."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise SegppError(f"Cannot read {self._path}: {error.strerror}.", "a file that can be read.") from error
        for line in data.split(b"\n"):
            try:
                content = json.loads(line)
                self._remember(str(content["subject"]), str(content["key"]), dict(content["finding"]))
            except (ValueError, KeyError, TypeError, RecursionError):
                continue  # torn, or nothing of ours
        return bool(data) and not data.endswith(b"\n")


def _append(path: Path, line: bytes) -> None:
    """Add a line in one write and wait until the disk has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        view = memoryview(line)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
