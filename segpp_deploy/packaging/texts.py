"""What texts of packages have in common."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template

from segpp_deploy.config import ClassTable
from segpp_deploy.engine.manifest import Manifest
from segpp_deploy.packaging.package import PackageFile


def fill_template(path: Path, values: Mapping[str, object], *, is_program: bool = False) -> PackageFile:
    """Return a template with its `$names` replaced; a name without a value is a `KeyError`."""
    return PackageFile(Template(path.read_text(encoding="utf-8")).substitute(values), is_program)


def label_lines(classes: ClassTable) -> PackageFile:
    """Return the classes' names, one a line, so that a line's number from 0 is the class."""
    return PackageFile("".join(" ".join(name.split()) + "\n" for name in classes.names))


def say_whether_tried(*manifests: Manifest) -> str:
    """Return a sentence: whether the engines ran when they were built."""
    tried = all(manifest.tried for manifest in manifests)
    if len(manifests) == 1:
        return "The engine ran once when it was built." if tried else "The engine could not be run where it was built."
    return "Each engine ran once when it was built." if tried else "Not all engines could be run where they were built."
