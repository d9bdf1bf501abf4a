"""What reading pictures brings to light without being an error: collected during a run, told once at its end.

Readers take note of it wherever they are called from; `collect_findings` says who wants to hear of it.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from segpp_deploy.errors import some_names

_SHOWN_NAMES = 4


@dataclass
class Findings:
    """What was found in one run; each file counts once, however often it is read."""

    scaled: defaultdict[int, set[Path]] = field(default_factory=lambda: defaultdict(set))
    first_of_many: dict[Path, int] = field(default_factory=dict)
    not_read: dict[Path, tuple[Path, ...]] = field(default_factory=dict)
    hints: dict[str, str] = field(default_factory=dict)

    def merge(self, other: Findings) -> None:
        """Add what was found in a part of the run."""
        for bits, paths in other.scaled.items():
            self.scaled[bits] |= paths
        self.first_of_many |= other.first_of_many
        self.not_read |= other.not_read
        self.hints |= other.hints

    def notes(self) -> tuple[str, ...]:
        """Return a line for each kind of finding."""
        scaled = [
            f"Read as {bits}-bit values, {1 << (16 - bits)} times as bright, because the upper of 16 bits are "
            f"never used: {_files(len(paths))} ({_some(paths)})."
            for bits, paths in sorted(self.scaled.items())
        ]
        several = [f"{path.name}: 1 of {count}" for path, count in self.first_of_many.items()]
        first = [f"Only the first picture of {_files(len(several))} is read ({some_names(several, _SHOWN_NAMES)})."]
        skipped = [self._tell_not_read(directory, paths) for directory, paths in self.not_read.items() if paths]
        return (*scaled, *(first if several else []), *skipped)

    def _tell_not_read(self, directory: Path, paths: Iterable[Path]) -> str:
        kinds: defaultdict[str, list[Path]] = defaultdict(list)
        for path in paths:
            kinds[_kind_of(path)].append(path)
        parts = []
        for kind, members in sorted(kinds.items()):
            hint = f"; {self.hints[kind]}" if kind in self.hints else ""
            parts.append(f"{kind}: {len(members)} ({_some(members)}{hint})")
        return f"Not read in {directory}: {'; '.join(parts)}."


_current: ContextVar[Findings | None] = ContextVar("findings", default=None)


@contextlib.contextmanager
def collect_findings() -> Iterator[Findings]:
    """Collect inside the block what readers take note of.

    Example:
        >>> with collect_findings() as findings:
        ...     note_first_of_many(Path("pages.tif"), 3)
        >>> findings.notes()
        ('Only the first picture of 1 file is read (pages.tif: 1 of 3).',)
    """
    token = _current.set(findings := Findings())
    try:
        yield findings
    finally:
        _current.reset(token)


def note_all(found: Findings) -> None:
    """Take note of what another process found."""
    if findings := _current.get():
        findings.merge(found)


def note_scaled(path: Path, bits: int) -> None:
    """Take note of a picture whose 16-bit samples hold fewer bits."""
    if findings := _current.get():
        findings.scaled[bits].add(path)


def note_first_of_many(path: Path, count: int) -> None:
    """Take note of a file that holds more pictures than the one that is read."""
    if count > 1 and (findings := _current.get()):
        findings.first_of_many[path] = count


def note_not_read(directory: Path, paths: Iterable[Path], hints: dict[str, str]) -> None:
    """Take note of what is left out of a directory; `hints` say by suffix what would help."""
    if findings := _current.get():
        findings.not_read[directory] = tuple(sorted(paths))
        findings.hints |= hints


def _kind_of(path: Path) -> str:
    if path.is_dir():
        return "directories"
    return "links that lead nowhere" if not path.exists() else path.suffix.lower() or "without suffix"


def _some(paths: Iterable[Path]) -> str:
    return some_names(sorted(path.name for path in paths), _SHOWN_NAMES)


def _files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"
