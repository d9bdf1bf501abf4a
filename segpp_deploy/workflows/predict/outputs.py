"""Where the results of pictures and videos go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from segpp_deploy.data.images import require_image_name, require_labels_name
from segpp_deploy.data.video import is_video_name
from segpp_deploy.data.video_writer import require_video_name
from segpp_deploy.errors import SegppError
from segpp_deploy.files import require_suffix, require_writable
from segpp_deploy.workflows.predict.options import PredictOptions


@dataclass(frozen=True)
class PredictedFile:
    """What was written for one image or video; None where it was not asked for."""

    source: Path
    overlay: Path | None
    labels: Path | None


def plan_all(options: PredictOptions, pictures: list[Path]) -> list[PredictedFile]:
    """Say where the results of pictures go.

    Raises:
        SegppError: as `plan_outputs`, or results of two pictures would be written to one file.
    """
    targets = [plan_outputs(options, picture, is_video=False) for picture in pictures]
    written: dict[Path, Path] = {}
    for target in targets:
        for path in (target.overlay, target.labels):
            if path is not None and written.setdefault(path, target.source) != target.source:
                raise SegppError(
                    f"{target.source} and {written[path]} would both be written to {path}.",
                    "pictures whose names differ by more than the suffix.",
                    "Rename one, or predict them into different directories.",
                )
    return targets


def plan_outputs(options: PredictOptions, source: Path, is_video: bool) -> PredictedFile:
    """Say where the results of one picture or video go.

    Raises:
        SegppError: several results would be written to one file, or one over the source.
    """
    folder = options.out
    picture_suffix = ".png" if source.suffix.lower() == ".png" else ".jpg"
    overlay = folder / f"{source.stem}_overlay{'.mp4' if is_video else picture_suffix}"
    labels = folder / f"{source.stem}_labels{'' if is_video else '.png'}"
    if _names_a_file(options.out) and not options.out.is_dir():
        are_many = (options.source.is_dir() and not options.keypoints) or (is_video and options.labels_png)
        if are_many or options.overlay + options.labels_png + options.keypoints != 1:
            raise SegppError(
                f"{options.out} is one file, but several are to be written.",
                "a directory.",
                f"Name a directory, such as {options.out.with_suffix('')}",
            )
        overlay = labels = options.out
    if source.resolve() in (overlay.resolve(), labels.resolve()):
        raise SegppError(
            f"The output would replace the input {source}.", "another place.", "Name another directory for the results."
        )
    return PredictedFile(source, overlay if options.overlay else None, labels if options.labels_png else None)


def _names_a_file(out: Path) -> bool:
    """Tell by the suffix; what follows the dot of run_0.5 or model_v1.2b is none."""
    return is_video_name(out) or out.suffix[1:].isalpha()


def check_outputs(target: PredictedFile, is_video: bool) -> None:
    """Find out before the engine is loaded what would go wrong when the first file is written."""
    labels = target.labels / "frame.png" if target.labels and is_video else target.labels
    if target.overlay:
        (require_video_name if is_video else require_image_name)(target.overlay)
    if labels:
        require_labels_name(labels)
    for path in (target.overlay, labels):
        if path:
            require_writable(path)


def plan_keypoints(options: PredictOptions) -> Path | None:
    """Say which one file takes the keypoints of all pictures or frames; None where they are not asked for.

    Raises:
        SegppError: it cannot be written.
    """
    if not options.keypoints:
        return None
    is_file = _names_a_file(options.out) and not options.out.is_dir()
    path = options.out if is_file else options.out / f"{options.source.stem}_keypoints.json"
    require_suffix(path, "COCO results", (".json",))
    require_writable(path)
    return path
