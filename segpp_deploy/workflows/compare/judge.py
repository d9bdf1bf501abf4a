"""How good each row's engine is: on all pictures, and beside PyTorch on a few."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from segpp_deploy.config import Precision, Preset
from segpp_deploy.engine.manifest import Manifest
from segpp_deploy.evaluation.evaluator import KEPT_BYTES, Evaluator, KeptReference
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.model.plan import PRESETS
from segpp_deploy.progress import Progress
from segpp_deploy.tasks.protocol.evaluation import Evaluation
from segpp_deploy.tuning.search.candidate import EngineKind
from segpp_deploy.workflows.compare.cells import Cell
from segpp_deploy.workflows.compare.engines import Engines
from segpp_deploy.workflows.compare.findings import Judged
from segpp_deploy.workflows.compare.inputs import Inputs

TORCH_IMAGES = 3
"""Compared with PyTorch, which is slow; they are spread evenly over the data set."""


class Judge:
    """Judges the engines of one model.

    Args:
        engines: opens them.
        inputs: the pictures.
        progress: told about each batch.
    """

    def __init__(self, engines: Engines, inputs: Inputs, progress: Progress) -> None:
        self._engines = engines
        self._inputs = inputs
        self._evaluator = Evaluator[Any, Any](inputs.dataset, progress, kept_bytes=KEPT_BYTES)
        self._few = Evaluator[Any, Any](inputs.dataset.spread(TORCH_IMAGES), progress)
        self._torch: tuple[object, KeptReference[Any, Any]] | None = None
        self._truth: KeptReference[Any, Any] | None = None

    def survey(self, metadata: ExportMetadata) -> None:
        """Look at the labels, if there are any, before they are believed.

        Raises:
            SegppError: they cannot be of the model's classes.
        """
        if self._inputs.has_targets:
            self._evaluator.survey(metadata)

    def judge(self, cell: Cell, key: str, manifest: Manifest) -> Judged:
        """Judge the engine of a row.

        Raises:
            SegppError: the engine fails, or the pictures do not fit the model.
        """
        expected = self._expected(cell)
        with self._engines.open(cell, key) as predictor:
            evaluation = self._evaluate(cell, predictor)
            agreement = expected.compare(predictor, f"{cell} beside PyTorch").agreement[0]
        candidate = cell.candidate
        original = replace(cell, candidate=replace(candidate, plan=PRESETS[Preset.ORIGINAL]))
        return Judged(
            evaluation=evaluation,
            agreement=agreement,
            attention_pairs=manifest.metadata.attention_pairs / self._engines.describe(original).attention_pairs,
            engine_bytes=manifest.size_bytes,
            build_seconds=manifest.build_seconds,
        )

    def _evaluate(self, cell: Cell, predictor: Predictor[Any]) -> Evaluation:
        """Score on what the data set says, or where it says nothing on what the unmerged model says."""
        step = f"Judging {cell}"
        if self._inputs.has_targets:
            return self._evaluator.evaluate(predictor, step)
        if self._truth is None:
            kind = EngineKind(cell.candidate.engine.target, Precision.FP32)
            with self._engines.open_original(cell.candidate.size, kind) as original:
                self._truth = self._evaluator.keep(original, "What the unmerged model says")
        return self._truth.compare(predictor, step).evaluation

    def _expected(self, cell: Cell) -> KeptReference[Any, Any]:
        """Return what PyTorch predicts in a row's mode; that of the last mode stays, rows of a mode follow another."""
        asked = cell.candidate.plan.stages, cell.candidate.plan.downsample, cell.candidate.size
        if self._torch is None or self._torch[0] != asked:
            with self._engines.open_torch(cell) as torch:
                self._torch = asked, self._few.keep(torch, f"PyTorch in mode {cell.candidate.plan.name}")
        return self._torch[1]
