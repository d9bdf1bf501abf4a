"""What every data set offers: named samples that load a picture and what is true of it when asked."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from segpp_deploy import commands
from segpp_deploy.config import ClassTable, KeypointRelations, TaskName
from segpp_deploy.data.datasets.label_options import AS_STORED, LabelOptions
from segpp_deploy.data.geometry.crop import Box
from segpp_deploy.data.images import ByteImage
from segpp_deploy.errors import SegppError, some_names

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class DatasetSpec:
    """KIND:PATH#SPLIT?OPTIONS as the user wrote it, taken apart.

    Args:
        kind: the layout.
        path: where it lies; empty where none was given.
        split: the part of it; None leaves it to the kind.
        options: how label files are to be read.
        needs_labels: pictures without labels are an error; else they are pictures without labels.
        boxes: a file with the boxes of persons that a detector found; None for those of the annotations.
    """

    kind: str
    path: str
    split: str | None = None
    options: LabelOptions = AS_STORED
    needs_labels: bool = True
    boxes: Path | None = None

    @property
    def name(self) -> str:
        """The data set as the user would write it."""
        path = f":{self.path}" if self.path else ""
        split = f"#{self.split}" if self.split else ""
        return f"{self.kind}{path}{split}" + (f"?{self.options}" if str(self.options) else "")

    def with_default_split(self, split: str) -> DatasetSpec:
        """Return it with a split, `split` where the user named none."""
        return self if self.split else replace(self, split=split)

    def root(self) -> Path:
        """Return PATH as an existing directory.

        Raises:
            SegppError: no path given, or it is not a directory.
        """
        if not self.path:
            raise SegppError(
                f"Data set kind {self.kind!r} needs a path.",
                f"{self.kind}:PATH, where PATH is the directory of the data set.",
                commands.option("data", f"{self.kind}:PATH"),
            )
        # no shell expands the ~ in KIND:~/PATH
        return require_directory(Path(self.path).expanduser(), self.kind)


class TargetSource(Protocol[T_co]):
    """What is true of a picture, not yet loaded."""

    def load(self, image: ByteImage, num_outputs: int) -> T_co:
        """Return the target of a picture uint8 [H, W, 3], for a model with so many classes or keypoints.

        Raises:
            SegppError: it cannot be read, or does not fit the picture or the model.
        """


@dataclass(frozen=True)
class Example(Generic[T]):
    """A loaded sample.

    Args:
        image: uint8 [H, W, 3], RGB.
        target: what is true of it; None where nobody said.
        box: what of the picture the model is shown; None: all of it.
        name: of the sample.
    """

    image: ByteImage
    target: T | None
    box: Box | None
    name: str = ""


@dataclass(frozen=True)
class Sample(Generic[T]):
    """One picture and what is true of it, not yet loaded.

    Args:
        name: unique in its data set; shown in messages and used for file names.
        load_image: gives uint8 [H, W, 3], RGB.
        target: what is true of it; None where the data set does not say.
        box: what of the loaded, upright picture the model is shown, such as one person; None: all of it.
    """

    name: str
    load_image: Callable[[], ByteImage]
    target: TargetSource[T] | None = None
    box: Box | None = None

    def load(self, num_outputs: int) -> Example[T]:
        """Return the picture and its target, for a model with so many classes or keypoints.

        Raises:
            SegppError: a file is unreadable, or the target does not fit the picture or the model.
        """
        image = self.load_image()
        target = None if self.target is None else self.target.load(image, num_outputs)
        return Example(image, target, self.box, self.name)


@dataclass(frozen=True)
class Dataset(Generic[T]):
    """An ordered collection of samples.

    Args:
        name: as the user would write it.
        samples: in a fixed order, each with a name of its own.
        task: whose predictions its targets judge.
        classes: names of the classes or keypoints its targets speak of; None where the data set does not say.
        keypoints: how the keypoints belong together; None where the data set does not say.
        spec: what it was opened by; None where it was made in Python.
        notes: what the user should know about the way it was read.

    Raises:
        SegppError: two samples have the same name.
    """

    name: str
    samples: tuple[Sample[T], ...]
    task: TaskName = TaskName.SEG
    classes: ClassTable | None = None
    keypoints: KeypointRelations | None = None
    spec: DatasetSpec | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        repeated = [name for name, count in Counter(sample.name for sample in self.samples).items() if count > 1]
        if repeated:  # what is remembered of a sample goes by its name
            raise SegppError(
                f"Data set {self.name} has several samples called {repeated[0]!r}.",
                "another name for each.",
                "Name samples after their files, folders included.",
            )

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample[T]]:
        return iter(self.samples)

    def first(self, count: int | None) -> Dataset[T]:
        """Return the data set cut to its first `count` samples; None keeps all."""
        return self if count is None else replace(self, samples=self.samples[:count])

    def spread(self, count: int) -> Dataset[T]:
        """Return `count` of the samples at equal distances, or all where there are fewer.

        Example:
            >>> from segpp_deploy.data.datasets.registry import parse_dataset
            >>> [sample.name for sample in parse_dataset("scenes:6").spread(2)]
            ['scene_0001', 'scene_0004']
        """
        total = len(self.samples)
        if total <= count:
            return self
        kept = tuple(self.samples[(2 * i + 1) * total // (2 * count)] for i in range(count))
        return replace(self, samples=kept)

    def advise(self, **options: Any) -> str:
        """Return the advice to read the label files by other options (fields of `LabelOptions`)."""
        if self.spec is None:
            return f"Give each LabelFile options={LabelOptions(**options)!r}."
        changed = replace(self.spec, options=replace(self.spec.options, **options))
        return f"Name the data set {shlex.quote(changed.name)}."

    def without_targets(self) -> Dataset[T]:
        """Return the pictures alone, of no particular classes."""
        return replace(self, samples=tuple(replace(sample, target=None) for sample in self.samples), classes=None)


AnySample = Sample[Any]
AnyDataset = Dataset[Any]


def require_class_count(dataset: AnyDataset, num_classes: int) -> None:
    """Check that a model can be judged on a data set.

    Raises:
        SegppError: the data set names its classes and the model has another number of them.
    """
    if dataset.classes is not None and len(dataset.classes) != num_classes:
        raise SegppError(
            f"The model has {num_classes} classes, data set {dataset.name} has {len(dataset.classes)}.",
            "a model trained for the classes of the data set.",
            f"Choose another data set, or a model with {len(dataset.classes)} classes.",
        )


def require_task(dataset: AnyDataset, task: TaskName) -> None:
    """Check that a data set's targets are of a model's task.

    Raises:
        SegppError: they are of another.
    """
    if dataset.task is not task:
        raise SegppError(
            f"The model's task is {task}, data set {dataset.name} is for {dataset.task}.",
            f"a data set for {task}.",
            _OTHER_DATA[task],
        )


_OTHER_DATA = {
    TaskName.SEG: "Choose a data set with label maps; docs/commands/validate.md lists the kinds.",
    TaskName.POSE: "Choose a data set with keypoints, such as " + commands.option("data", "coco-pose:PATH"),
}


def require_directory(path: Path, kind: str, layout: str = "") -> Path:
    """Return `path` if it is a directory.

    Args:
        path: what should be there.
        kind: of the data set.
        layout: what a data set of that kind looks like, for the message.

    Raises:
        SegppError: it is missing, or a file; the message says what is there instead.
    """
    if not path.is_dir():
        raise SegppError(
            f"{path} is not a directory."
            if path.exists()
            else f"No such directory: {path}{_where_it_leads(path)}.{_what_is_there(path)}",
            layout or f"a directory of the {kind} layout.",
            "Check the path in " + commands.option("data", f"{kind}:PATH") + ".",
        )
    return path


def _where_it_leads(path: Path) -> str:
    return f", a link to {path.readlink()}" if path.is_symlink() else ""


def _what_is_there(path: Path) -> str:
    """Return a sentence about the nearest directory above that exists, or nothing where that is far."""
    there = next((parent for parent in list(path.parents)[:2] if parent.is_dir()), None)
    if there is None or there == Path():
        return ""
    try:
        names = sorted(entry.name for entry in there.iterdir() if not entry.name.startswith("."))
    except OSError:
        return ""
    return f" In {there} there are: {some_names(names)}." if names else f" {there} is empty."
