"""Where the results of pictures and videos go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segpp_deploy.data.images import is_image_name, list_images, require_image_name, require_labels_name
from segpp_deploy.data.places import Place, list_store
from segpp_deploy.data.video import is_video_name
from segpp_deploy.data.video_writer import require_video_name
from segpp_deploy.errors import SegppError
from segpp_deploy.files import require_suffix, require_writable
from segpp_deploy.workflows.predict.options import PredictOptions


@dataclass(frozen=True)
class PredictedFile:
    """What was written for one image or video; None where it was not asked for."""

    source: Place
    overlay: Place | None
    labels: Place | None

    def to_dict(self) -> dict[str, str | None]:
        """Return plain JSON values."""
        return {name: None if place is None else str(place) for name, place in vars(self).items()}

    @property
    def results(self) -> tuple[Place, ...]:
        """The files."""
        return tuple(place for place in (self.overlay, self.labels) if place is not None)


def list_pictures(source: Place) -> Sequence[Place]:
    """Return the source itself if it is a file, else the pictures in that directory, sorted by name.

    Raises:
        SegppError: it cannot be read, or there is no picture.
    """
    if isinstance(source, Path):
        return list_images(source)
    found = [one for one in list_store(source) if one == source or is_image_name(Path(one.name))]
    if not found:
        raise SegppError(f"No pictures in {source}.", "at least one, in the directory itself.", "Check the address.")
    return found


def plan_all(options: PredictOptions, pictures: Sequence[Place]) -> list[PredictedFile]:
    """Say where the results of pictures go.

    Raises:
        SegppError: as `plan_outputs`, or results of two pictures would be written to one file.
    """
    targets = [plan_outputs(options, picture, is_video=False) for picture in pictures]
    written: dict[Place, Place] = {}
    for target in targets:
        for path in target.results:
            if written.setdefault(path, target.source) != target.source:
                raise SegppError(
                    f"{target.source} and {written[path]} would both be written to {path}.",
                    "pictures whose names differ by more than the suffix.",
                    "Rename one, or predict them into different directories.",
                )
    return targets


def plan_outputs(options: PredictOptions, source: Place, is_video: bool) -> PredictedFile:
    """Say where the results of one picture or video go.

    Raises:
        SegppError: several results would be written to one file, or one over the source.
    """
    picture_suffix = ".png" if source.suffix.lower() == ".png" else ".jpg"
    overlay = options.out / f"{source.stem}_overlay{'.mp4' if is_video else picture_suffix}"
    labels = options.out / f"{source.stem}_labels{'' if is_video else '.png'}"
    if names_a_file(options.out):
        are_many = (source != options.source and not options.keypoints) or (is_video and options.labels_png)
        if are_many or options.overlay + options.labels_png + options.keypoints != 1:
            raise SegppError(
                f"{options.out} is one file, but several are to be written.",
                "a directory.",
                f"Name a directory, such as {options.out.parent / options.out.stem}",
            )
        overlay = labels = options.out
    if _resolve(source) in (_resolve(overlay), _resolve(labels)):
        raise SegppError(
            f"The output would replace the input {source}.", "another place.", "Name another directory for the results."
        )
    return PredictedFile(source, overlay if options.overlay else None, labels if options.labels_png else None)


def names_a_file(out: Place) -> bool:
    """Tell by the suffix; what follows the dot of run_0.5 or model_v1.2b is none, and s3://my.bucket/ a directory."""
    looks_so = is_video_name(Path(out.name)) or out.suffix[1:].isalpha()
    return looks_so and not (out.is_dir() if isinstance(out, Path) else str(out).endswith("/"))


def _resolve(place: Place) -> Place:
    return place.resolve() if isinstance(place, Path) else place


def check_outputs(target: PredictedFile, is_video: bool) -> None:
    """Find out before the engine is loaded what would go wrong when the first file is written."""
    labels = target.labels / "frame.png" if target.labels and is_video else target.labels
    if target.overlay:
        (require_video_name if is_video else require_image_name)(_as_path(target.overlay))
    if labels:
        require_labels_name(_as_path(labels))
    for place in (target.overlay, labels):
        if isinstance(place, Path):
            require_writable(place)


def plan_keypoints(options: PredictOptions) -> Place | None:
    """Say which one file takes the keypoints of all pictures or frames; None where they are not asked for.

    Raises:
        SegppError: it cannot be written.
    """
    if not options.keypoints:
        return None
    place = options.out if names_a_file(options.out) else options.out / f"{options.source.stem}_keypoints.json"
    require_suffix(_as_path(place), "COCO results", (".json",))
    if isinstance(place, Path):
        require_writable(place)
    return place


def _as_path(place: Place) -> Path:
    """Return what has the same name; of a store, that alone."""
    return place if isinstance(place, Path) else Path(place.name)
