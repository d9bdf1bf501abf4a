"""Graphs to be measured under a recipe and forgotten: rewritten, compiled and loaded without a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property

import onnx_ir as ir

from segpp_deploy.config import Lowering, Precision
from segpp_deploy.engine.build import EngineOptions, resolve_settings
from segpp_deploy.graph.graph_file import GraphFile
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.graph.precision.half_emulation import emulate_half
from segpp_deploy.graph.precision.recipe import PrecisionRecipe, RecipeKey, apply_recipe
from segpp_deploy.progress import no_progress
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.registry import TARGETS, open_target
from segpp_deploy.runtimes.session import ProfiledSession, SessionOptions
from segpp_deploy.runtimes.target import CompiledEngine

KEPT_BYTES = 128 << 20
"""Compiled candidates of so many bytes stay in memory: the float32 graph and the chosen recipe are opened often."""


@dataclass(frozen=True)
class _Candidate:
    """A compiled recipe; the recipe stays, so that its key is nobody else's."""

    recipe: PrecisionRecipe | None
    metadata: ExportMetadata
    engine: CompiledEngine


class CandidateBench:
    """Opens sessions of a graph under different recipes.

    Args:
        graph: the float32 export.
        target: what the engine is for (`built_for`). Graphs for GPU builders are measured on the CPU
            (`TargetInfo.stand_in`), with the same rewriting and fp16's rounding emulated: the GPU may not be here.
        threads: CPU threads; None = one per physical core.
        is_here: the GPU is this machine's: no stand-in is needed.
    """

    def __init__(self, graph: GraphFile, target: TargetName, threads: int | None, *, is_here: bool = False) -> None:
        self.built_for = target
        self.target = target if is_here else TARGETS[target].stand_in or target
        self.is_own_target = self.target is target
        self._threads = threads
        self._source = graph
        self._compiled: dict[RecipeKey | None, _Candidate] = {}

    @cached_property
    def graph_bytes(self) -> int:
        """The size of the float32 graph."""
        return int(self._source.model.ByteSize())

    @contextmanager
    def open(self, recipe: PrecisionRecipe | None, *, profile: bool = False) -> Iterator[ProfiledSession]:
        """Compile and load a candidate; at most its engine stays in memory afterwards (`KEPT_BYTES`).

        Args:
            recipe: how to rewrite the graph; None for the float32 graph.
            profile: take the time of every operation; ONNX Runtime writes it to a temporary file.
        """
        with closing(self._load(recipe, SessionOptions(profile=profile))) as session:
            yield session

    def _load(self, recipe: PrecisionRecipe | None, options: SessionOptions) -> ProfiledSession:
        key = None if recipe is None else recipe.key
        if key not in self._compiled:
            self._make_room()
            self._compiled[key] = self._compile(recipe)
        candidate = self._compiled[key]
        engine = candidate.engine
        return open_target(self.target).load(engine.data, candidate.metadata, engine.settings, options)

    def _compile(self, recipe: PrecisionRecipe | None) -> _Candidate:
        graph = self._rewritten(recipe)
        precision = None if recipe is None or recipe.rewrites_graph else recipe.precision
        settings = resolve_settings(graph.metadata, graph.path, EngineOptions(self.target, precision, self._threads))
        return _Candidate(recipe, graph.metadata, open_target(self.target).compile(graph, settings, no_progress))

    def _make_room(self) -> None:
        """Forget the candidates that were compiled first until the others leave room for one more."""
        largest = max((len(candidate.engine.data) for candidate in self._compiled.values()), default=0)
        while self._compiled and (len(self._compiled) + 1) * largest > KEPT_BYTES:
            del self._compiled[next(iter(self._compiled))]

    @cached_property
    def _graph(self) -> GraphFile:
        """The graph as the bench's target takes it; only plugin graphs need PyTorch, which is slow to load."""
        if self._source.metadata.lowering in TARGETS[self.target].lowerings:
            return self._source
        from segpp_deploy.graph.exporting.lowering import lower_to_portable

        model = ir.to_proto(lower_to_portable(ir.from_proto(self._source.model)))
        return replace(self._source, model=model, metadata=replace(self._source.metadata, lowering=Lowering.PORTABLE))

    def _rewritten(self, recipe: PrecisionRecipe | None) -> GraphFile:
        if recipe is None or not recipe.rewrites_graph or recipe.precision is self._source.metadata.precision:
            return self._graph
        model, precision = apply_recipe(self._graph.model, recipe), recipe.precision
        if recipe.uses_fp16 and Precision.FP16 not in TARGETS[self.target].graph_precisions:
            model = ir.to_proto(emulate_half(ir.from_proto(model)))
            precision = Precision.FP32 if precision is Precision.FP16 else precision
        return replace(self._graph, model=model, metadata=self._graph.metadata.with_precision(precision))
