"""Engines of one model's rows: assembled and rewritten in memory, compiled, and kept in a file until all is done."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from segpp_deploy.config import InputKind, Int8Layers, KeypointRelations, Precision, Preset, Size
from segpp_deploy.data.geometry.whole import prepare
from segpp_deploy.data.images import ByteImage
from segpp_deploy.engine.build import EngineOptions, build_graph
from segpp_deploy.engine.manifest import Manifest, manifest_path
from segpp_deploy.engine.open import open_session, verify_engine
from segpp_deploy.errors import SegppError
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.evaluation.worker import Opener
from segpp_deploy.graph.exporting.export import describe_graph
from segpp_deploy.graph.graph_file import GraphFile
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.graph.precision.recipe import apply_recipe
from segpp_deploy.model.merge_maps import MergeMap, find_merge_maps
from segpp_deploy.model.plan import PRESETS
from segpp_deploy.model.weights.loading import SourceModel
from segpp_deploy.progress import Progress
from segpp_deploy.runtimes.session import SessionOptions
from segpp_deploy.runtimes.torch.session import TorchSession
from segpp_deploy.tuning.recipe_choice import choose_recipe
from segpp_deploy.tuning.search.candidate import Candidate, EngineKind
from segpp_deploy.tuning.search.workbench import Workbench, lowering_for
from segpp_deploy.workflows.compare.cells import Cell
from segpp_deploy.workflows.compare.options import CompareOptions
from segpp_deploy.workflows.compare.plain import build_plain, open_plain
from segpp_deploy.workflows.export.request import request_graph


class Engines:
    """Makes and opens the engines of one model.

    Args:
        source: the model.
        folder: where engine files lie until the comparison is done.
        options: of the comparison.
        keypoints: what the pictures' data set says of the keypoints, where there are such.
    """

    def __init__(
        self, source: SourceModel, folder: Path, options: CompareOptions, keypoints: KeypointRelations | None
    ) -> None:
        self._source = source
        self._folder = folder
        self._options = options
        self._threads = options.threads
        self._keypoints = keypoints
        self._request = request_graph(source, Size(0, 0))  # each cell has its own
        self._bench = Workbench(source.model, self._request, self._threads)

    def describe(self, cell: Cell) -> ExportMetadata:
        """Return what the graph of a row says of itself.

        Raises:
            SegppError: the size is too small for the plan.
        """
        candidate = cell.candidate
        lowering = lowering_for(candidate.engine.target)
        request = replace(self._request, size=candidate.size, lowering=lowering)
        return describe_graph(self._source.model.spec, candidate.plan, request)

    def path(self, key: str) -> Path:
        """Return where the engine of a row lies while it is needed."""
        return self._folder / f"{key[:16]}.engine"

    def make(self, cell: Cell, key: str, progress: Progress) -> Manifest:
        """Build the engine of a row, unless it lies there.

        Args:
            cell: the row.
            key: what it depends on.
            progress: told about each step.

        Raises:
            SegppError: it cannot be exported, rewritten or compiled, or fails its trial run.
        """
        path = self.path(key)
        try:
            return verify_engine(path)
        except SegppError:
            path.unlink(missing_ok=True)  # none yet, or one that was cut short
        built = self._options.built.get(cell.mode)
        if built is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            for one, other in ((built, path), (manifest_path(built), manifest_path(path))):
                shutil.copyfile(one, other)
            return verify_engine(path)
        if cell.is_plain:
            original = replace(cell, candidate=replace(cell.candidate, plan=PRESETS[Preset.ORIGINAL]))
            return build_plain(self._source.model, self.describe(original), path).manifest
        graph, precision = self._graph(cell.candidate, progress)
        options = EngineOptions(cell.candidate.engine.target, precision, self._threads)
        return build_graph(graph, path, options, progress=progress)

    def opener(self, cell: Cell) -> Opener:
        """Return what opens an engine file of a row."""
        return open_plain if cell.is_plain else open_session

    @contextmanager
    def open(self, cell: Cell, key: str) -> Iterator[Predictor[Any]]:
        """Open the engine of a row, which `make` has made."""
        session = self.opener(cell)(self.path(key), SessionOptions(self._threads))
        with Predictor[Any](session, keypoints=self._keypoints) as predictor:
            yield predictor

    @contextmanager
    def open_torch(self, cell: Cell) -> Iterator[Predictor[Any]]:
        """Open the unfolded float32 PyTorch model in a row's mode."""
        model = self._source.model
        model.plan = cell.candidate.plan
        with Predictor[Any](TorchSession(model, self.describe(cell)), keypoints=self._keypoints) as predictor:
            yield predictor

    def find_merges(self, cell: Cell, image: ByteImage) -> tuple[MergeMap, ...]:
        """Return what a row's mode merges of a picture uint8 [H, W, 3], by PyTorch."""
        model, metadata = self._source.model, self.describe(cell)
        model.plan = cell.candidate.plan
        prepared = prepare(image, metadata.size, InputKind.FLOAT, metadata.normalization)
        return find_merge_maps(model, torch.from_numpy(prepared)[None])

    @contextmanager
    def open_original(self, size: Size, kind: EngineKind) -> Iterator[Predictor[Any]]:
        """Open the unmerged model in memory, which says what is true of pictures without labels."""
        with self._bench.open(Candidate(PRESETS[Preset.ORIGINAL], size, kind)) as session:
            yield Predictor[Any](session, keypoints=self._keypoints)

    def _graph(self, candidate: Candidate, progress: Progress) -> tuple[GraphFile, Precision]:
        """Return the graph that is compiled, and in which precision the runtime computes it."""
        precision, recipe = candidate.engine.precision, candidate.engine.recipe
        if precision is Precision.INT8:  # a recipe names tensors as exports do
            graph = self._bench.graph(candidate)
            bench = self._bench.bench(candidate)
            choice = choose_recipe(graph, precision, self._options.calibration, Int8Layers.FASTER, bench, progress)
            recipe = choice.recipe
        else:
            graph = self._bench.assemble(candidate)
        if recipe is not None and recipe.rewrites_graph:
            metadata = graph.metadata.with_precision(precision)
            graph = replace(graph, model=apply_recipe(graph.model, recipe), metadata=metadata)
        digest = hashlib.sha256(graph.model.SerializeToString(deterministic=True)).hexdigest()
        return replace(graph, sha256=digest), precision
