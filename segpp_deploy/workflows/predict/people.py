"""Persons in pictures and frames: their boxes, and what was found of them in COCO's result format."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segpp_deploy.data.datasets.person_boxes import PERSON, PersonBox, read_boxes
from segpp_deploy.data.images import ByteImage
from segpp_deploy.data.places import Place, delivered
from segpp_deploy.files import write_text
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.tasks.protocol.task import AnyTask

Boxes = Sequence[PersonBox | None]
"""Of one picture; None stands for all of it."""

_NO_BOX: Boxes = (None,)


@dataclass(frozen=True)
class BoxSource:
    """Which boxes pictures and frames have; without a file each is looked at whole.

    Args:
        of_picture: gives the boxes of a picture.
        of_frame: gives the boxes of a frame, counted from 1.
        notes: what the user should know of them.
    """

    of_picture: Callable[[Path], Boxes]
    of_frame: Callable[[int], Boxes]
    notes: tuple[str, ...]


def open_boxes(path: Path | None, task: AnyTask) -> BoxSource:
    """Read the boxes of a file, or state what is assumed without one.

    Raises:
        SegppError: it cannot be read, or has no box of a person.
    """
    if path is None:
        return BoxSource(lambda _: _NO_BOX, lambda _: _NO_BOX, task.assumptions)
    given = read_boxes(path)
    return BoxSource(given.of_file, given.of_frame, given.notes)


def draw_people(task: AnyTask, image: ByteImage, found: Sequence[Any], metadata: ExportMetadata) -> ByteImage:
    """Draw all that was found in a picture; names only where they belong to one person."""
    for prediction in found:
        image = task.draw(image, prediction, metadata, legend=len(found) == 1)
    return image


@dataclass
class CocoResults:
    """What was found so far, as the entries of COCO's result format."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    empty: int = 0

    def add(self, image_id: int, name: str, boxes: Boxes, results: Sequence[dict[str, Any]]) -> None:
        """Add the persons of one picture; a person's score is the box's times the pose's.

        Args:
            image_id: number of the picture or frame.
            name: of its file.
            boxes: of the persons.
            results: keypoints and score of each.
        """
        self.empty += not boxes
        for box, result in zip(boxes, results, strict=True):
            entry = {"image_id": image_id, "file_name": name, "category_id": PERSON, **result}
            if box is not None:
                entry |= {"bbox": box.xywh, "score": box.score * result["score"]}
            self.entries.append(entry)

    def write(self, place: Place) -> None:
        """Write COCO's result file."""
        with delivered(place) as path:
            write_text(path, json.dumps(self.entries) + "\n")

    def notes(self) -> tuple[str, ...]:
        """Say how many pictures had no box."""
        return (f"Pictures without a box, in which nobody was looked for: {self.empty}.",) if self.empty else ()
