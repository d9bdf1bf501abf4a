"""The engines of one model on their way to a fleet's workers, and what is known of them without loading one."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from segpp_deploy.config import Inference, KeypointRelations, Size
from segpp_deploy.engine.copies import EngineCopy, copy_engine
from segpp_deploy.engine.manifest import Manifest
from segpp_deploy.evaluation.input_sizes import require_one_model
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.fleet.needs import WorkerNeeds, needs_of
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.tasks.protocol.task import AnyTask
from segpp_deploy.tasks.registry import TASKS


@dataclass(frozen=True)
class FleetEngines:
    """Copies of engines, to be opened where they are unpacked.

    Args:
        manifests: of each.
        copies: of each, in the same order.
        inference: the way in which pictures are looked at.
        keypoints: what a data set says of them.
    """

    manifests: tuple[Manifest, ...]
    copies: tuple[EngineCopy, ...]
    inference: Inference
    keypoints: KeypointRelations | None

    @property
    def metadata(self) -> ExportMetadata:
        """What the model is; of several engines, the first one's."""
        return self.manifests[0].metadata.with_keypoints(self.keypoints)

    @property
    def task(self) -> AnyTask:
        """What it does."""
        return TASKS[self.metadata.task]

    @property
    def sizes(self) -> tuple[Size, ...]:
        """The input sizes of the engines."""
        return tuple(manifest.metadata.size for manifest in self.manifests)

    @property
    def needs(self) -> WorkerNeeds:
        """What a worker takes."""
        return needs_of(self.manifests[0])

    def open(self) -> Predictor[Any]:
        """Load the engines; no more threads than were reserved compute, in OpenCV's work on pictures neither.

        Raises:
            SegppError: they cannot be loaded here.
        """
        cv2.setNumThreads(self.needs.cpus)
        with ExitStack() as unpacked:
            first, *also = [unpacked.enter_context(copy.placed()) for copy in self.copies]
            return Predictor.open(first, self.inference, self.needs.cpus, self.keypoints, also)


def copy_engines(
    engine: Path, also: tuple[Path, ...], inference: Inference, keypoints: KeypointRelations | None = None
) -> FleetEngines:
    """Read engine files, which need not run here.

    Raises:
        SegppError: one is missing or was changed, they are not of one model, or cannot be used in this way.
    """
    manifests, copies = zip(*map(copy_engine, (engine, *also)), strict=True)
    engines = FleetEngines(manifests, copies, inference, keypoints)
    require_one_model([manifest.metadata for manifest in manifests])
    engines.task.require_inference(inference, engines.metadata)
    return engines
