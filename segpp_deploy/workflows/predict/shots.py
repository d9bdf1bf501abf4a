"""Pictures and frames on their way through an engine: read ahead, predicted in batches, written behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from segpp_deploy.data.images import ByteImage
from segpp_deploy.evaluation.overlap import Behind, ahead
from segpp_deploy.evaluation.predictor import Predictor, chunks
from segpp_deploy.workflows.predict.people import Boxes


@dataclass(frozen=True)
class Shot:
    """A picture or frame.

    Args:
        image: uint8 [H, W, 3], RGB.
        boxes: of the persons in it.
        write: takes what was found, box by box.
    """

    image: ByteImage
    boxes: Boxes
    write: Callable[[list[Any]], None]


def predict_shots(predictor: Predictor[Any], shots: Iterable[Shot], behind: Behind) -> Iterator[int]:
    """Predict for shots, and yield after each batch how many are done.

    Args:
        predictor: gets the persons of all shots of a batch together.
        shots: read in a thread of their own.
        behind: runs `write` of each shot, in their order.
    """
    done = 0
    for chunk in chunks(ahead(shots), predictor.batch):
        persons = [(shot.image, None if box is None else box.box) for shot in chunk for box in shot.boxes]
        found = iter(predictor.predict([image for image, _ in persons], [box for _, box in persons]))
        for shot in chunk:
            behind.call(shot.write, [next(found) for _ in shot.boxes])
        done += len(chunk)
        yield done
