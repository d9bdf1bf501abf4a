"""Candidates made in memory: assembled or exported, compiled and loaded without a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import onnx_ir as ir

from segpp_deploy.config import Lowering, Size
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.exporting.export import GraphOptions, build_graph
from segpp_deploy.graph.exporting.parts import GraphAssembler
from segpp_deploy.graph.graph_file import GraphFile
from segpp_deploy.graph.precision.recipe import PrecisionRecipe
from segpp_deploy.model.plan import MergePlan
from segpp_deploy.model.segformer import SegFormer
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.registry import TARGETS, open_with_plugins
from segpp_deploy.runtimes.session import Session
from segpp_deploy.tuning.candidates import CandidateBench
from segpp_deploy.tuning.search.candidate import Candidate, EngineKind

KEPT_BYTES = 512 << 20
"""Graphs, and parts of graphs, of so many bytes each stay in memory: candidates have much in common."""

_GraphKey = tuple[MergePlan, Size, Lowering]


class Workbench:
    """Opens sessions of candidates.

    Args:
        model: unfolded, float32; its plan is changed.
        request: what to export it as; the size and the lowering are the candidates'.
        threads: CPU threads; None = one per physical core.
    """

    stand_in: EngineKind | None = None
    """What opens every candidate, where those are for a GPU that is not here."""

    def __init__(self, model: SegFormer, request: GraphOptions, threads: int | None) -> None:
        self._model = model
        self._request = request
        self._threads = threads
        self._graphs: dict[_GraphKey, GraphFile] = {}

    def graph(self, candidate: Candidate) -> GraphFile:
        """Return a candidate's float32 graph as `export` writes it.

        Raises:
            SegppError: the size is too small for the plan.
        """
        key = candidate.plan, candidate.size, lowering_for(self._engine(candidate).target)
        graph = self._graphs.pop(key, None) or self._export(*key)
        self._graphs[key] = graph  # the last one used is the last to go
        while len(self._graphs) > 1 and sum(one.model.ByteSize() for one in self._graphs.values()) > KEPT_BYTES:
            del self._graphs[next(iter(self._graphs))]
        return graph

    def _export(self, plan: MergePlan, size: Size, lowering: Lowering) -> GraphFile:
        self._model.plan = plan
        graph, metadata = build_graph(self._model, replace(self._request, size=size, lowering=lowering))
        return GraphFile(Path(f"{plan.name}.onnx"), ir.to_proto(graph), metadata, "")

    def bench(self, candidate: Candidate) -> CandidateBench:
        """Return what compiles a candidate's graph under different recipes, for this very machine."""
        return CandidateBench(self.graph(candidate), self._engine(candidate).target, self._threads, is_here=True)

    @contextmanager
    def open(self, candidate: Candidate, recipe: PrecisionRecipe | None = None) -> Iterator[Session]:
        """Open a candidate.

        Args:
            candidate: what to open.
            recipe: of int8, which names tensors as exports do; None: the engine's own, of an assembled graph.

        Raises:
            SegppError: it cannot be exported, compiled or loaded.
        """
        engine = self._engine(candidate)
        if recipe is None:
            bench = CandidateBench(self.assemble(candidate), engine.target, self._threads, is_here=True)
        else:
            bench = self.bench(candidate)
        with bench.open(recipe or engine.recipe) as session:
            yield session

    def assemble(self, candidate: Candidate) -> GraphFile:
        """Return a candidate's float32 graph, put together of stages that were traced once; see `GraphAssembler`.

        Raises:
            SegppError: the size is too small for the plan.
        """
        lowering = lowering_for(self._engine(candidate).target)
        return self._assembler.assemble(candidate.plan, candidate.size, lowering)

    @cached_property
    def _assembler(self) -> GraphAssembler:
        return GraphAssembler(self._model, self._request, KEPT_BYTES)

    def _engine(self, candidate: Candidate) -> EngineKind:
        return self.stand_in or candidate.engine


def lowering_for(target: TargetName) -> Lowering:
    """Return the graphs that a target runs best here: plugin nodes only where it can compute them."""
    preferred = TARGETS[target].lowerings[0]
    if preferred is Lowering.PLUGIN:
        try:
            open_with_plugins(target)
        except SegppError:
            return Lowering.PORTABLE
    return preferred
