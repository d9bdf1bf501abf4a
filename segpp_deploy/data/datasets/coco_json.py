"""Annotation files in COCO's format: pictures, persons with boxes and keypoints, and what the keypoints are.

Format: cocodataset.org/#format-data. Fields that no step needs are not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from segpp_deploy.config import ClassTable, KeypointRelations, Size, default_class_table
from segpp_deploy.data.datasets.annotation_json import Number, form_error, parse_as, read_bytes
from segpp_deploy.errors import some_names


class CocoImage(BaseModel):
    """A picture; its size is that of the stored pixels."""

    id: int
    file_name: str
    width: int | None = None
    height: int | None = None

    @property
    def size(self) -> Size | None:
        """In pixels; None where the file does not say it."""
        return Size(self.height, self.width) if self.height and self.width else None


class CocoPerson(BaseModel):
    """An annotation: `bbox` is x, y, width, height; `keypoints` are x, y, v one after the other."""

    id: int
    image_id: int
    category_id: int = 1
    bbox: list[Number] | None = None
    keypoints: list[Number] = []
    num_keypoints: int | None = None
    iscrowd: int = 0
    area: Number | None = None

    @property
    def labelled(self) -> int:
        """How many keypoints have a label: v is 1 (hidden) or 2 (visible)."""
        counted = sum(v > 0 for v in self.keypoints[2::3])
        return counted if self.num_keypoints is None else min(counted, self.num_keypoints)


class CocoCategory(BaseModel):
    """What is annotated; the numbers of its skeleton count from 1."""

    id: int
    name: str = ""
    keypoints: list[str] | None = None
    skeleton: list[tuple[int, int]] | None = None


class _CocoContent(BaseModel):
    images: list[CocoImage]
    annotations: list[CocoPerson]
    categories: list[CocoCategory] = []


@dataclass(frozen=True)
class CocoFile:
    """An annotation file of one kind of person (or animal, or thing) with keypoints.

    Args:
        path: of the file.
        images: in the file's order.
        persons: its annotations, in the file's order.
        classes: names and colours of the keypoints.
        relations: the skeleton that the file states, with what its layout is known for.
    """

    path: Path
    images: tuple[CocoImage, ...]
    persons: tuple[CocoPerson, ...]
    classes: ClassTable
    relations: KeypointRelations


def read_coco(path: Path, classes: ClassTable | None = None, relations: KeypointRelations | None = None) -> CocoFile:
    """Read an annotation file.

    Args:
        path: the file.
        classes: the keypoints of its layout; None takes what the file says.
        relations: how they belong together; None takes the file's skeleton.

    Raises:
        SegppError: it cannot be read, is of another form, or is of other keypoints.
    """
    content = parse_as(read_bytes(path), _CocoContent, path, "images, annotations and categories in COCO's format")
    with_keypoints = [person for person in content.annotations if person.keypoints]
    if not with_keypoints:
        raise form_error(path, "no annotation has keypoints", "persons with keypoints")
    named = _category(content, path)
    if classes is None:
        count = len(with_keypoints[0].keypoints) // 3
        classes = default_class_table(count) if named is None else ClassTable(tuple(named.keypoints or ()))
    for person in with_keypoints:
        if len(person.keypoints) != 3 * len(classes):
            found = f"annotation {person.id} has {len(person.keypoints)} numbers for its keypoints"
            raise form_error(path, found, f"x, y and v of each of {len(classes)}")
    if relations is None:
        relations = KeypointRelations(skeleton=_skeleton(named, len(classes)))
    return CocoFile(path, tuple(content.images), tuple(content.annotations), classes, relations)


def _category(content: _CocoContent, path: Path) -> CocoCategory | None:
    """The category with keypoints; None where the file names none."""
    used = {person.category_id for person in content.annotations if person.keypoints}
    found = [category for category in content.categories if category.keypoints and category.id in used]
    if len({tuple(category.keypoints or ()) for category in found}) > 1:
        names = some_names(category.name for category in found)
        raise form_error(path, f"categories of different keypoints: {names}", "one kind of keypoints")
    return found[0] if found else None


def _skeleton(category: CocoCategory | None, count: int) -> tuple[tuple[int, int], ...]:
    pairs = (category.skeleton or ()) if category is not None else ()
    first = 0 if any(0 in pair for pair in pairs) else 1  # some writers count from 0
    moved = ((one - first, other - first) for one, other in pairs)
    return tuple(pair for pair in moved if all(0 <= index < count for index in pair))
