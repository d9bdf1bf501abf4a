"""Boxes of persons from a file: a detector's results in COCO's format, or the boxes of an annotation file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from segpp_deploy.data.datasets.annotation_json import Number, form_error, parse_as, read_bytes
from segpp_deploy.data.geometry.crop import Box

PERSON = 1
"""COCO's category of persons."""


@dataclass(frozen=True)
class PersonBox:
    """A box, and how sure the detector was of it; 1 where it does not say."""

    box: Box
    score: float = 1.0

    @property
    def xywh(self) -> list[float]:
        """Left, top, width and height in pixels."""
        box = self.box
        return [box.left, box.top, box.right - box.left, box.bottom - box.top]


class _Entry(BaseModel):
    image_id: int | None = None
    file_name: str | None = None
    frame: int | None = None
    category_id: int = PERSON
    bbox: list[Number]
    score: Number = 1.0

    @property
    def is_empty(self) -> bool:
        return len(self.bbox) != 4 or min(self.bbox[2:]) <= 0

    def person_box(self) -> PersonBox:
        return PersonBox(box_of(self.bbox), self.score)


class _Picture(BaseModel):
    id: int
    file_name: str


class _Annotated(BaseModel):
    images: list[_Picture]
    annotations: list[_Entry]


@dataclass(frozen=True)
class GivenBoxes:
    """All boxes of a file.

    Args:
        path: of the file.
        entries: those of persons, as they stand there.
        notes: what was left out.
    """

    path: Path
    entries: tuple[_Entry, ...]
    notes: tuple[str, ...]

    def of_file(self, path: Path) -> list[PersonBox]:
        """Return the boxes of a picture: those that name its file, or its number where its name is one."""
        return [entry.person_box() for entry in self.entries if _is_of(path, entry)]

    def of_frame(self, number: int) -> list[PersonBox]:
        """Return the boxes of a video's frame, counted from 1."""
        return [
            entry.person_box()
            for entry in self.entries
            if (entry.image_id if entry.frame is None else entry.frame) == number
        ]


def read_boxes(path: Path, category: int = PERSON) -> GivenBoxes:
    """Read a list of {"bbox": [x, y, width, height], "score": ..}, or COCO annotations.

    An entry of the list says by "image_id", "file_name" or "frame" what it belongs to.

    Args:
        path: the file.
        category: entries of other categories are left out.

    Raises:
        SegppError: it cannot be read, is of another form, or holds no box of the category.
    """
    entries = _parse(path)
    of_persons = [entry for entry in entries if entry.category_id == category]
    kept = tuple(entry for entry in of_persons if not entry.is_empty)
    if not kept:
        raise form_error(path, f"there is no box of category {category} in it", "at least one box of a person")
    left_out = Counter(
        {
            f"of other categories than {category}": len(entries) - len(of_persons),
            "without an extent": len(of_persons) - len(kept),
        }
    )
    said = ", ".join(f"{count} {reason}" for reason, count in left_out.items() if count)
    return GivenBoxes(path, kept, (f"Boxes of {path} left out: {said}.",) if said else ())


def box_of(xywh: list[float]) -> Box:
    """Return the box of x, y, width and height in pixels."""
    left, top, width, height = xywh
    return Box(left, top, left + width, top + height)


def _parse(path: Path) -> list[_Entry]:
    content = read_bytes(path)
    if content.lstrip()[:1] != b"{":
        return parse_as(content, list[_Entry], path, 'a list of {"image_id": .., "bbox": [x, y, width, height]}')
    annotated = parse_as(content, _Annotated, path, "images and annotations in COCO's format")
    names = {picture.id: picture.file_name for picture in annotated.images}
    return [
        entry.model_copy(update={"file_name": names.get(entry.image_id)}) if entry.image_id is not None else entry
        for entry in annotated.annotations
    ]


def _is_of(path: Path, entry: _Entry) -> bool:
    if entry.file_name is None:
        return path.stem.isdecimal() and int(path.stem) == entry.image_id
    parts = Path(entry.file_name).parts
    return bool(parts) and path.parts[-len(parts) :] == parts
