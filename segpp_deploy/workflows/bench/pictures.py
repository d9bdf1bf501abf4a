"""The picture files that calls take which are timed from end to end: the user's, or a generated one for each task."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from segpp_deploy.config import TaskName


@dataclass(frozen=True)
class Pictures:
    """Which files engines of a task take, one after the other, and what they are in words."""

    by_task: Mapping[TaskName, Sequence[Path]]
    description: str


@contextlib.contextmanager
def open_pictures(path: Path | None, tasks: Collection[TaskName]) -> Iterator[Pictures]:
    """Find the pictures; generated ones are JPEG files that are gone at the end.

    Args:
        path: a picture or a directory of them; None: one is generated.
        tasks: of the engines.

    Raises:
        SegppError: no such path, or a directory without a picture.
    """
    if path is not None:
        from segpp_deploy.data.images import list_images  # OpenCV, which engines on noise do without

        found = list_images(path)
        description = str(path) if len(found) == 1 else f"{len(found)} pictures in {path}, in turns"
        yield Pictures(dict.fromkeys(tasks, found), description)
        return
    with tempfile.TemporaryDirectory(prefix="segpp-bench-") as folder:
        made = {task: _draw(task, Path(folder)) for task in dict.fromkeys(tasks)}
        words = " and ".join(f"a generated picture of {what}" for _, what in made.values())
        yield Pictures({task: (file,) for task, (file, _) in made.items()}, f"{words} (JPEG)")


def _draw(task: TaskName, folder: Path) -> tuple[Path, str]:
    from segpp_deploy.data.images import write_image
    from segpp_deploy.data.scenes import HELD_OUT_SEED, generate_people, generate_scene

    is_pose = task is TaskName.POSE
    image = generate_people(HELD_OUT_SEED).image if is_pose else generate_scene(HELD_OUT_SEED).image
    file = folder / f"{task}.jpg"
    write_image(file, image)
    return file, f"{'people' if is_pose else 'a street'}, {image.shape[0]}x{image.shape[1]}"
