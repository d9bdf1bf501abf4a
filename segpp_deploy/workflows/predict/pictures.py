"""Pictures through a predictor, from where they lie to where their results go; here or in a fleet's worker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from segpp_deploy.config import Size
from segpp_deploy.data.findings import Findings, collect_findings
from segpp_deploy.data.images import ByteImage, read_image, write_image, write_labels
from segpp_deploy.data.places import Place, delivered, fetched
from segpp_deploy.errors import UnreadableFileError
from segpp_deploy.evaluation.failures import Failures
from segpp_deploy.evaluation.overlap import Behind
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.files import key_of, sha256_of, write_text
from segpp_deploy.tasks.protocol.task import AnyTask
from segpp_deploy.workflows.predict.outputs import PredictedFile
from segpp_deploy.workflows.predict.people import Boxes, draw_people
from segpp_deploy.workflows.predict.shots import Shot, predict_shots
from segpp_deploy.workflows.predict.sidecars import Sidecar, read_sidecar


@dataclass(frozen=True)
class PictureJob:
    """One picture.

    Args:
        number: its place among all.
        target: where it is, and where its results go.
        sidecar: where it is noted what they are made of; None: nowhere.
        boxes: of the persons in it.
    """

    number: int
    target: PredictedFile
    sidecar: Place | None
    boxes: Boxes


@dataclass(frozen=True)
class Wanted:
    """What is the same for all pictures.

    Args:
        made_by: what results depend on besides the picture, plain JSON values.
        keypoints: whether what was found is reported, too.
    """

    made_by: Mapping[str, Any]
    keypoints: bool = False


@dataclass
class PictureReport:
    """What became of pictures; reports on parts add up.

    Args:
        failures: pictures that could not be read.
        images: so many were predicted.
        already_done: results of so many others were there.
        people: what was found, as entries of COCO's results, by the job's number; empty where nobody asked.
        taken: pictures by the place of the engine that was given them.
        findings: of readers in another process.
    """

    failures: Failures
    images: int = 0
    already_done: int = 0
    people: dict[int, Sequence[dict[str, Any]]] = field(default_factory=dict)
    taken: Counter[int] = field(default_factory=Counter)
    findings: Findings = field(default_factory=Findings)

    @property
    def handled(self) -> int:
        """Pictures of which it is known what became of them."""
        return self.images + self.already_done + len(self.failures)

    def merge(self, other: PictureReport) -> None:
        """Add what became of other pictures.

        Raises:
            SegppError: more could not be read than may.
        """
        self.images += other.images
        self.already_done += other.already_done
        self.people |= other.people
        self.taken += other.taken
        self.findings.merge(other.findings)
        self.failures.merge(other.failures)


class PictureRunner(Protocol):
    """Who looks at pictures: an engine in this process, or a fleet."""

    @property
    def task(self) -> AnyTask:
        """What the engine does."""

    @property
    def sizes(self) -> Sequence[Size]:
        """The input sizes of the engines."""

    def run(self, jobs: Sequence[PictureJob], report: PictureReport) -> Iterator[int]:
        """Deal with pictures; yield now and then how many are predicted or were left out.

        Args:
            jobs: the pictures.
            report: takes what became of them; it is complete when there is no more to yield.

        Raises:
            SegppError: a result cannot be written, or more pictures cannot be read than may.
        """


class PictureWorker:
    """Predicts for pictures and writes the results.

    Args:
        predictor: is closed by who opened it.
        wanted: of each picture.
    """

    def __init__(self, predictor: Predictor[Any], wanted: Wanted) -> None:
        self._predictor = predictor
        self._wanted = wanted

    @property
    def task(self) -> AnyTask:
        """What the engine does."""
        return self._predictor.task

    @property
    def sizes(self) -> tuple[Size, ...]:
        """The input sizes of the engines."""
        return self._predictor.sizes

    def __call__(self, jobs: Sequence[PictureJob]) -> PictureReport:
        """Deal with pictures, and report when their results are written."""
        report = PictureReport(Failures(allowed=None))
        with collect_findings() as report.findings:
            for _ in self.run(jobs, report):
                pass
        return report

    def run(self, jobs: Sequence[PictureJob], report: PictureReport) -> Iterator[int]:
        """Deal with pictures, which are read in a thread of their own; see `PictureRunner.run`."""
        before, told = Counter(self._predictor.taken), 0
        with Behind() as behind:
            for done in predict_shots(self._predictor, self._shots(jobs, report), behind):
                told = done + report.already_done + len(report.failures)
                yield told
        report.taken += self._predictor.taken - before
        if report.handled > told:
            yield report.handled

    def _shots(self, jobs: Iterable[PictureJob], report: PictureReport) -> Iterator[Shot]:
        for job in jobs:
            try:
                shot = self._open(job, report)
            except UnreadableFileError as error:
                report.failures.add(str(job.target.source), error)
            else:
                if shot is not None:
                    yield shot

    def _open(self, job: PictureJob, report: PictureReport) -> Shot | None:
        """Read a picture; None where its results are there."""
        key = ""
        with fetched(job.target.source) as path:
            if job.sidecar is not None:
                key = self._key_of(job, path)
                known = read_sidecar(job.sidecar)
                if known is not None and known.is_of(key, job.target.results):
                    report.already_done += 1
                    report.people[job.number] = known.people
                    return None
            image = read_image(path)
        return Shot(image, job.boxes, partial(self._write, job, key, image, report))

    def _key_of(self, job: PictureJob, path: Path) -> str:
        """Return the hash of all that the results of a picture depend on."""
        boxes = [None if box is None else asdict(box) for box in job.boxes]
        asked = {"keypoints": self._wanted.keypoints, "boxes": boxes}
        try:
            return key_of({**self._wanted.made_by, **asked, "picture": sha256_of(path)})
        except OSError:  # `read_image` says it better
            return ""

    def _write(self, job: PictureJob, key: str, image: ByteImage, report: PictureReport, found: list[Any]) -> None:
        task, metadata = self._predictor.task, self._predictor.metadata
        files: dict[str, str] = {}

        def write(place: Place | None, writer: Callable[[Path], None]) -> None:
            if place is not None:
                with delivered(place) as path:
                    writer(path)
                    if job.sidecar is not None:
                        files[place.name] = sha256_of(path)

        write(job.target.overlay, lambda path: write_image(path, draw_people(task, image, found, metadata)))
        write(job.target.labels, lambda path: write_labels(path, task.label_map(found[0]), metadata.classes))
        people = list(map(task.coco_result, found)) if self._wanted.keypoints else []
        write(job.sidecar, lambda path: write_text(path, Sidecar(key, files, people).to_text()))
        report.people[job.number] = people
        report.images += 1
