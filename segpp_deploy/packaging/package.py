"""A package: the files that a stack needs to run engines, as they are put together and written."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from segpp_deploy import __version__, commands
from segpp_deploy.engine.manifest import Manifest, manifest_path
from segpp_deploy.errors import SegppError
from segpp_deploy.files import write_error

RECORD_NAME = "package.json"


@dataclass(frozen=True)
class PackagedEngine:
    """An engine file and its record; the runtime and the device that it is for need not be here."""

    path: Path
    manifest: Manifest

    @property
    def manifest_path(self) -> Path:
        """The file of the record."""
        return manifest_path(self.path)


@dataclass(frozen=True)
class PackageFile:
    """A file of a package.

    Args:
        content: its text; or the file that is copied.
        is_program: whether it is started by its name.
    """

    content: str | Path
    is_program: bool = False


@dataclass(frozen=True)
class Package:
    """What a packager puts together.

    Args:
        files: by their place in the package, such as "models/a.plan". A README.md, which says how to start it, what was
            checked and what could not be, is among them.
        start: what is typed in the package's directory to start it.
        notes: what the user should know at once.
    """

    files: Mapping[str, PackageFile]
    start: str
    notes: tuple[str, ...] = ()


def engine_files(engine: PackagedEngine, place: str) -> dict[str, PackageFile]:
    """Return an engine and its record at a place of a package; they belong together."""
    return {place: PackageFile(engine.path), f"{place}.json": PackageFile(engine.manifest_path)}


class Packager(Protocol):
    """Puts a package together."""

    def __call__(self, engines: Sequence[PackagedEngine], name: str | None) -> Package:
        """Return the package of engines.

        Args:
            engines: at least one.
            name: of the model, as the stack's users will say it; None: made of the engines' file names.

        Raises:
            SegppError: the stack cannot run such engines; the message says what it can run, and the command for it.
        """


def require_new_directory(out: Path) -> None:
    """Check that nothing lies where a package is to be written.

    Raises:
        SegppError: something does.
    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise SegppError(
            f"{out} is there already.",
            "a new or an empty directory, so that no file of an older package stays behind.",
            "Remove it, or name another: " + commands.out(out.with_name(f"{out.name}-new")),
        )


def write_package(out: Path, package: Package, facts: Mapping[str, Any]) -> None:
    """Write a package whole or not at all.

    Args:
        out: a new directory.
        package: what is written.
        facts: of the record, `package.json`, beside the version of this program.

    Raises:
        SegppError: it cannot be written, or something lies there.
    """
    require_new_directory(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as temporary:
            folder = Path(temporary) / "package"
            for place, file in package.files.items():
                _write(folder / place, file)
            record = json.dumps({"tool_version": __version__, **facts}, indent=2) + "\n"
            (folder / RECORD_NAME).write_text(record, encoding="utf-8")
            if out.exists():
                out.rmdir()
            folder.rename(out)
    except OSError as error:
        raise write_error(out, error) from error


def _write(path: Path, file: PackageFile) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(file.content, Path):
        shutil.copyfile(file.content, path)
    else:
        path.write_text(file.content, encoding="utf-8")
    if file.is_program:
        path.chmod(path.stat().st_mode | 0o111)
