"""Which pictures of a data set or a directory are taken, and what speaks against relying on them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from segpp_deploy import commands
from segpp_deploy.config import ClassTable, TaskName
from segpp_deploy.data.datasets import AnyDataset, Dataset, Sample
from segpp_deploy.data.datasets.registry import parse_dataset
from segpp_deploy.data.images import list_images, read_image
from segpp_deploy.errors import SegppError

DIRECTORY = "directory"

_HELD_OUT_SPLITS = ("val", "validation")
_SCENES = "scenes"


@dataclass(frozen=True)
class Selection:
    """The chosen pictures.

    Args:
        data: kind and split of the data set without its path, or `DIRECTORY`.
        dataset: the chosen samples; with targets only where those can be of the model's classes.
        classes: that the targets speak of; None where there are no targets to look at.
        warnings: what the choice itself gives reason for.
    """

    data: str
    dataset: AnyDataset
    classes: ClassTable | None = None
    warnings: tuple[str, ...] = ()


def select_pictures(
    data: str, count: int, task: TaskName, classes: ClassTable, *, needs_labels: bool = True
) -> Selection:
    """Take `count` pictures, or all where there are fewer, spread evenly over a data set or a directory.

    Args:
        data: KIND:PATH[#SPLIT], scenes[:N][#train], people[:N][#train], or a directory of pictures.
        count: how many.
        task: the model's.
        classes: the model's; targets are kept where they can be of these.
        needs_labels: pictures of a data set without labels are an error; else they have no target.

    Raises:
        SegppError: count below 1, no such data, or none in it.
    """
    if count < 1:
        raise SegppError(f"--images {count} leaves no image.", "a number of at least 1.", commands.option("images", 64))
    is_scenes = data.partition(":")[0].partition("#")[0] == _SCENES
    if is_scenes or (":" in data and not Path(data).is_dir()):
        return _select_samples(parse_dataset(data, needs_labels=needs_labels), count, task, classes)
    return Selection(DIRECTORY, open_pictures(Path(data), task).spread(count))


def open_pictures(path: Path, task: TaskName) -> AnyDataset:
    """Return the pictures of a directory, or the one picture `path`, as a data set without targets.

    Raises:
        SegppError: no such path, or a directory without a picture.
    """
    samples = tuple(Sample[None](picture.name, partial(read_image, picture)) for picture in list_images(path))
    return Dataset(str(path), samples, task)


def _select_samples(dataset: AnyDataset, count: int, task: TaskName, classes: ClassTable) -> Selection:
    assert dataset.spec is not None  # the registry opened it
    kind, split = dataset.spec.kind, dataset.spec.split
    same_task = dataset.task is task
    is_ours = same_task and (dataset.classes is None or len(dataset.classes) == len(classes))
    warnings = []
    if split in _HELD_OUT_SPLITS or (kind == _SCENES and not split):
        warnings.append(
            f"{dataset.name} is what `validate` measures on by default; calibrate on other images (#train), or figures "
            "measured there flatter."
        )
    if same_task and not is_ours:
        warnings.append(f"{dataset.name} has other classes than the model: whether all classes occur was not checked.")
    chosen = dataset.spread(count) if is_ours else dataset.spread(count).without_targets()
    has_labels = any(sample.target is not None for sample in chosen)
    named = (dataset.classes or classes) if is_ours and has_labels else None
    return Selection(f"{kind}#{split}" if split else kind, chosen, named, tuple(warnings))
