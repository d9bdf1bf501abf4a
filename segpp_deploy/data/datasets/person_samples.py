"""Persons of an annotation file as samples: those that were annotated, or those that a detector found."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from segpp_deploy.config import Size, TaskName
from segpp_deploy.data.datasets.annotation_json import form_error
from segpp_deploy.data.datasets.base import Dataset, DatasetSpec, Sample, require_directory
from segpp_deploy.data.datasets.coco_json import CocoFile, CocoImage, CocoPerson
from segpp_deploy.data.datasets.keypoints import KeypointAnnotation, Keypoints, PersonEntry
from segpp_deploy.data.datasets.person_boxes import PersonBox, box_of, read_boxes
from segpp_deploy.data.geometry.crop import Box
from segpp_deploy.data.images import ByteImage, read_image
from segpp_deploy.data.orientation import read_orientation
from segpp_deploy.errors import SegppError, UnreadableFileError


def open_persons(spec: DatasetSpec, file: CocoFile, folders: Sequence[Path]) -> Dataset[Keypoints]:
    """Return a sample for each person, picture by picture, in the file's order of pictures.

    Args:
        spec: how the data set was named; its boxes, where it has any, replace those of the annotations.
        file: the annotations.
        folders: where pictures may lie; the first that holds one of the first pictures is taken.

    Raises:
        SegppError: there is no picture, nobody who can be judged, or no box of a picture.
    """
    folder = _find_pictures(file, folders, spec.kind)
    if spec.boxes is None:
        samples, notes = _annotated(file, folder)
    else:
        samples, notes = _detected(file, folder, spec.boxes)
    if not samples:
        raise form_error(spec.boxes or file.path, f"none of its persons can be judged. {' '.join(notes)}", "boxes")
    return Dataset(spec.name, samples, TaskName.POSE, file.classes, file.relations, spec, notes)


def _find_pictures(file: CocoFile, folders: Sequence[Path], kind: str) -> Path:
    some = file.images[:20]
    found = next((folder for folder in folders if any((folder / one.file_name).is_file() for one in some)), None)
    if found is not None:
        return found
    first = next((folder for folder in folders if folder.is_dir()), folders[0])
    require_directory(first, kind)
    raise SegppError(
        f"None of the first {len(some)} pictures of {file.path} is in {', '.join(map(str, folders))}.",
        f"the pictures that it names, such as {some[0].file_name}." if some else "pictures.",
        f"Put the pictures into {first}.",
    )


def _annotated(file: CocoFile, folder: Path) -> tuple[tuple[Sample[Keypoints], ...], tuple[str, ...]]:
    by_image: Mapping[int, list[CocoPerson]] = defaultdict(list)
    for person in file.persons:
        by_image[person.image_id].append(person)
    left_out: Counter[str] = Counter()
    samples: list[Sample[Keypoints]] = []
    for image in file.images:
        for person in by_image[image.id]:
            box = _box_in_picture(person, image, folder)
            reason = _why_not(person, box)
            if reason:
                left_out[reason] += 1
            elif box is not None:
                samples.append(_sample(file, image, folder, str(person.id), PersonBox(box), person))
    return tuple(samples), ("Boxes: those of the annotations.", *_tell(left_out, len(file.persons)))


def _detected(file: CocoFile, folder: Path, boxes: Path) -> tuple[tuple[Sample[Keypoints], ...], tuple[str, ...]]:
    given = read_boxes(boxes, next(person.category_id for person in file.persons if person.keypoints))
    by_image: Mapping[int | None, list[PersonBox]] = defaultdict(list)
    for entry in given.entries:
        by_image[entry.image_id].append(entry.person_box())
    samples = tuple(
        _sample(file, image, folder, str(number), found, None)
        for image in file.images
        for number, found in enumerate(by_image[image.id])
    )
    lost = len(given.entries) - len(samples)
    note = (f"Boxes of pictures that {file.path.name} does not name: {lost}.",) if lost else ()
    return samples, (f"Boxes: a detector's, {boxes}.", *given.notes, *note)


def _box_in_picture(person: CocoPerson, image: CocoImage, folder: Path) -> Box | None:
    """The box clipped to the picture's pixels, as mmpose does it; None without a box."""
    if person.bbox is None or len(person.bbox) != 4:
        return None
    box = box_of(person.bbox)
    size = image.size or _stored_size(folder / image.file_name)
    if size is None:
        return box
    right, bottom = size.width - 1.0, size.height - 1.0
    left, top = min(max(box.left, 0.0), right), min(max(box.top, 0.0), bottom)
    return Box(left, top, min(max(box.right, 0.0), right), min(max(box.bottom, 0.0), bottom))


@lru_cache(maxsize=1)
def _stored_size(path: Path) -> Size | None:
    try:
        return Size(*read_image(path).shape[:2])
    except SegppError:
        return None  # who loads the sample will say so


def _why_not(person: CocoPerson, box: Box | None) -> str:
    if person.iscrowd:
        return "crowds"
    if box is None:
        return "without a box"
    if (person.bbox is not None and min(person.bbox[2:]) <= 0) or box.right <= box.left or box.bottom <= box.top:
        return "with a box without an extent"
    return "" if person.labelled else "without a labelled keypoint"


def _tell(left_out: Counter[str], total: int) -> Iterator[str]:
    if left_out:
        said = ", ".join(f"{count} {reason}" for reason, count in sorted(left_out.items()))
        yield f"Not judged: {left_out.total()} of {total} entries ({said})."


def _sample(
    file: CocoFile, image: CocoImage, folder: Path, number: str, found: PersonBox, person: CocoPerson | None
) -> Sample[Keypoints]:
    """A person; one that was detected has no labelled keypoints of its own."""
    count = len(file.classes)
    rows = np.zeros((count, 3), np.float32) if person is None else np.array(person.keypoints, np.float32)
    rows = rows.reshape(count, 3)
    entry = PersonEntry(image.id, found.score, file)
    keypoints = Keypoints(rows[:, :2], rows[:, 2] > 0, max(found.box.longer_side, 1.0), entry)
    return Sample(
        name=f"{image.file_name}#{number}",
        load_image=partial(_read_as_annotated, folder / image.file_name, image.size),
        target=KeypointAnnotation(f"{file.path}, annotation {number},", keypoints),
        box=found.box,
    )


@lru_cache(maxsize=1)  # the persons of a picture follow one another
def _read_as_annotated(path: Path, size: Size | None) -> ByteImage:
    """Return the picture in whose pixels it was annotated: as it is stored, where its size says so."""
    image = read_image(path)
    found = Size(*image.shape[:2])
    if size is None or found == size:
        return image
    orientation = read_orientation(path)
    if orientation.swaps_sides and found.hw == size.hw[::-1]:
        return orientation.back.turn(image)
    raise UnreadableFileError(
        f"{path} has {found} pixels, its annotation says {size}.", "the picture that was annotated.", "Copy it again."
    )
