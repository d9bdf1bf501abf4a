"""Matches picture files with label files and reports what has no partner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from segpp_deploy.data.datasets.base import DatasetSpec, Sample, require_directory
from segpp_deploy.data.datasets.labels import LabelFile, LabelTable
from segpp_deploy.data.images import IMAGE_SUFFIXES, is_image_name, note_unread, read_image, read_labels
from segpp_deploy.data.label_maps import LabelMap
from segpp_deploy.data.orientation import read_orientation
from segpp_deploy.errors import SegppError, some_names
from segpp_deploy.files import walk_files

_SHOWN_NAMES = 3
_SIDECARS = frozenset({".json", ".txt", ".xml", ".csv", ".tsv", ".yaml", ".yml", ".md"})  # they hold no picture


@dataclass(frozen=True)
class FilesBelow:
    """Where one half of a data set lies, and what the names of its files end in before their suffix.

    Example:
        >>> FilesBelow(Path("gtFine/val"), "_gtFine_labelIds").path_of("ulm/ulm_0", ".png").as_posix()
        'gtFine/val/ulm/ulm_0_gtFine_labelIds.png'
    """

    directory: Path
    ending: str = ""

    def path_of(self, key: str, suffix: str) -> Path:
        """Return the file that a key stands for."""
        return self.directory / f"{key}{self.ending}{suffix}"

    def find(self) -> dict[str, Path]:
        """Return the files by key, as `files_by_key`."""
        return files_by_key(self.directory, self.ending)


def files_by_key(directory: Path, ending: str = "") -> dict[str, Path]:
    """Return the pictures below `directory` whose stem ends in `ending`, by relative path without that ending.

    Example:
        `leftImg8bit/val/ulm/ulm_0_leftImg8bit.png` with ending `_leftImg8bit` has the key `ulm/ulm_0`.

    Linked directories are searched like others.

    Raises:
        SegppError: two files have the same key (a.png beside a.jpg), or a linked directory is not there.
    """
    found: dict[str, Path] = {}
    files = [path for path in sorted(walk_files(directory)) if not path.name.startswith(".")]
    _refuse_lost_links([path for path in files if not is_image_name(path)])
    note_unread(directory, (path for path in files if not is_image_name(path) and path.suffix.lower() not in _SIDECARS))
    for path in files:
        if not is_image_name(path) or not path.stem.endswith(ending):
            continue
        relative = path.relative_to(directory).with_suffix("").as_posix()
        key = relative.removesuffix(ending)
        if key in found:
            raise SegppError(
                f"{found[key].name} and {path.name} in {path.parent} have the same name.",
                "one file per name, whatever the suffix.",
                "Remove or rename one of the two.",
            )
        found[key] = path
    return found


def _refuse_lost_links(paths: list[Path]) -> None:
    """A directory that is linked but not there, as when a disk is not mounted, would be left out without a word."""
    lost = [path for path in paths if path.is_symlink() and not path.exists()]
    if lost:
        raise SegppError(
            f"{len(lost)} links in {lost[0].parent} lead nowhere, e.g. {lost[0].name} -> {lost[0].readlink()}.",
            "links to directories that are there; a relative one begins at the place of the link.",
            "Mount the disk that they lead to, or correct or remove them.",
        )


def pair_files(
    spec: DatasetSpec, pictures: FilesBelow, labels: FilesBelow, table: LabelTable | None = None, layout: str = ""
) -> tuple[Sample[LabelMap], ...]:
    """Return one sample per picture, in the order of their names.

    Args:
        spec: the data set; where it needs no labels, pictures without labels are samples without a target.
        pictures: where they lie.
        labels: where their label maps lie, under the same names apart from the endings.
        table: what each stored label value means; None where it is the class.
        layout: what such a data set looks like, for messages.

    Raises:
        SegppError: a directory is missing, there is no picture, or pictures and labels have no partner.
    """
    require_directory(pictures.directory, spec.kind, layout)
    images = pictures.find()
    if not images:
        raise SegppError(
            f"No pictures in {pictures.directory}.",
            f"files ending in {', '.join(f'{pictures.ending}{suffix}' for suffix in IMAGE_SUFFIXES)}.",
            "Check that the path is the root of the data set and that it is unpacked.",
        )
    found = _find_labels(spec, labels, layout)
    if spec.needs_labels:
        _check_partners(images, found, pictures, labels)
    return tuple(_sample(key, path, found.get(key), table) for key, path in images.items())


def _find_labels(spec: DatasetSpec, labels: FilesBelow, layout: str) -> dict[str, Path]:
    if not spec.needs_labels and not labels.directory.is_dir():
        return {}
    require_directory(labels.directory, spec.kind, layout)
    return labels.find()


def _sample(key: str, picture: Path, labels: Path | None, table: LabelTable | None) -> Sample[LabelMap]:
    target = None
    if labels is not None:
        target = LabelFile(
            str(labels), partial(read_labels, labels), table, picture_orientation=partial(read_orientation, picture)
        )
    return Sample(key, partial(read_image, picture), target)


def _check_partners(
    images: Mapping[str, Path], found: Mapping[str, Path], pictures: FilesBelow, labels: FilesBelow
) -> None:
    without_label = sorted(images.keys() - found.keys())
    without_image = sorted(found.keys() - images.keys())
    if not without_label and not without_image:
        return
    parts, looked_for = [], ""
    if without_label:
        parts.append(f"{len(without_label)} without labels ({_some(without_label)})")
        looked_for = _explain_search(labels.path_of(without_label[0], ".png"))
    if without_image:
        parts.append(f"{len(without_image)} labels without a picture ({_some(without_image)})")
    raise SegppError(
        f"{len(images)} pictures in {pictures.directory}: {'; '.join(parts)}.{looked_for}",
        "a label map of the same name for every picture, and no others.",
        "Add or remove the files named above, or rename them.",
    )


def _explain_search(missing: Path) -> str:
    """Name a file that was looked for, and what lies where it should be."""
    folder = missing.parent
    names = sorted(path.name for path in folder.iterdir() if path.name[0] != ".") if folder.is_dir() else []
    there = f"; there are: {some_names(names, _SHOWN_NAMES)}" if names else "; nothing lies there"
    return f" Looked for {missing}{there}."


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN_NAMES
    return ", ".join(names[:_SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")
