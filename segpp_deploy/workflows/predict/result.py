"""What `predict` wrote."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from segpp_deploy.data.places import Place
from segpp_deploy.data.video import FrameCount
from segpp_deploy.errors import CheckFailedError
from segpp_deploy.evaluation.failures import Failures
from segpp_deploy.report.tables import Table
from segpp_deploy.workflows.predict.outputs import PredictedFile


@dataclass(frozen=True)
class PredictResult:
    """All that was written; `seconds` covers reading, predicting and writing.

    Args:
        outputs: by picture or video.
        keypoints: the file with what was found of all persons; None where it was not asked for.
        images: pictures or frames that were predicted now.
        seconds: for all of them.
        notes: what the user should know besides.
        failures: pictures that could not be read.
        frames: what could be read of a video; None for pictures.
        already_done: so many more pictures have their results from an earlier run.
    """

    outputs: tuple[PredictedFile, ...]
    images: int
    seconds: float
    keypoints: Place | None = None
    notes: tuple[str, ...] = ()
    failures: Failures = field(default_factory=Failures)
    frames: FrameCount | None = None
    already_done: int = 0

    @property
    def throughput_ips(self) -> float:
        """Images (or frames) a second, files and drawing included."""
        return self.images / self.seconds if self.seconds else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of `predict --json`."""
        return {
            "outputs": [written.to_dict() for written in self.outputs],
            "keypoints": None if self.keypoints is None else str(self.keypoints),
            "images": self.images,
            "already_done": self.already_done,
            "seconds": self.seconds,
            "throughput_ips": self.throughput_ips,
            "failures": self.failures.to_list(),
            "frames": None if self.frames is None else asdict(self.frames) | {"expected": self.frames.expected},
            "notes": list(self.notes),
        }

    def tables(self) -> tuple[Table, ...]:
        """Return none: files were written."""
        return ()

    def summary(self) -> str:
        """Return one line a file, and one on the speed."""
        written = [path for one in self.outputs for path in (one.overlay, one.labels)]
        lines = [str(path) for path in (*written, self.keypoints) if path]
        is_damaged = self.frames is not None and not self.frames.is_whole
        read = self.frames.describe() if self.frames is not None and is_damaged else f"{self.images} images"
        speed = f"{read} in {self.seconds:.1f} s ({self.throughput_ips:.2f} a second, files included)"
        left_out = [f"{self.already_done} more were already done"] if self.already_done else []
        return "\n".join([*lines, speed, *left_out])

    def require_complete(self, strict: bool = False) -> None:
        """Check that nothing was left out.

        Args:
            strict: whether a video must be whole, too.

        Raises:
            SegppError: pictures could not be read.
            CheckFailedError: frames could not be read.
        """
        self.failures.raise_any(total=self.images + self.already_done + len(self.failures))
        if strict and self.frames is not None and not self.frames.is_whole:
            raise CheckFailedError(
                f"{self.outputs[0].source} is damaged: {self.frames.describe()}.",
                "every frame, as it was recorded.",
                "Copy the video again.",
            )
