"""Engines made to be measured and thrown away: a graph rewritten by a recipe, behind a session."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import onnx_ir as ir

from segpp_deploy.config import Lowering, Precision
from segpp_deploy.engine.build import BuildOptions, build_graph
from segpp_deploy.engine.open import open_session
from segpp_deploy.graph.graph_file import GraphFile
from segpp_deploy.graph.precision.half_emulation import emulate_half
from segpp_deploy.graph.precision.recipe import PrecisionRecipe, apply_recipe
from segpp_deploy.runtimes.session import ProfiledSession, SessionOptions
from segpp_deploy.runtimes.target import TARGETS, TargetName

_TRIAL_TARGETS = {TargetName.TENSORRT: TargetName.CPU, TargetName.TENSORRT_RTX: TargetName.CPU}


class TrialBench:
    """Opens sessions of a graph under different recipes.

    Args:
        graph: the float32 export.
        target: what the engine is for. Engines of GPU builders are tried on the CPU, with the same rewritten graph and
            fp16's rounding emulated: they may have been built for a GPU that is not here.
        threads: CPU threads; None = one per physical core.
    """

    def __init__(self, graph: GraphFile, target: TargetName, threads: int | None) -> None:
        self.target = _TRIAL_TARGETS.get(target, target)
        self.is_own_target = self.target is target
        self._threads = threads
        self._source = graph

    @contextmanager
    def open(self, recipe: PrecisionRecipe | None, *, profile: bool = False) -> Iterator[ProfiledSession]:
        """Build and load an engine; the files are gone afterwards.

        Args:
            recipe: how to rewrite the graph; None for the float32 graph.
            profile: take the time of every operation.
        """
        with tempfile.TemporaryDirectory(prefix="segpp-trial-") as folder:
            engine = Path(folder) / "trial.engine"
            precision = None if recipe is None or recipe.rewrites_graph else recipe.precision
            build_graph(self._rewritten(recipe), engine, BuildOptions(self.target, precision, self._threads))
            with closing(open_session(engine, SessionOptions(profile=profile))) as session:
                yield session

    @cached_property
    def _graph(self) -> GraphFile:
        """The graph as the trial's target takes it; only plugin graphs need PyTorch, which is slow to load."""
        if self._source.metadata.lowering in TARGETS[self.target].lowerings:
            return self._source
        from segpp_deploy.graph.lowering import lower_to_portable

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
