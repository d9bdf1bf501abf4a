"""Engines that put out the tensors inside them, where they are ONNX."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import onnx
from onnx import helper

from segpp_deploy.engine.manifest import Manifest
from segpp_deploy.engine.open import find_target
from segpp_deploy.errors import SegppError
from segpp_deploy.runtimes.registry import TARGETS
from segpp_deploy.runtimes.session import Session, SessionOptions
from segpp_deploy.runtimes.target import Payload


class ObservableEngine:
    """The graph in an engine file.

    Args:
        path: of the file.
        manifest: its record.

    Raises:
        SegppError: its target compiles graphs into something else.
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        info = TARGETS[manifest.target]
        if info.payload is not Payload.ONNX:
            able = [str(name) for name, other in TARGETS.items() if other.payload is Payload.ONNX]
            raise SegppError(
                f"Nobody can look into engines of {info.runtime}.",
                f"an engine for {', '.join(able)}.",
                f"Build the same graph for {able[0]}.",
            )
        self._target = find_target(path, manifest)
        self._manifest = manifest
        self._graph = onnx.load_model_from_string(path.read_bytes())
        self.tensors = frozenset(name for node in self._graph.graph.node for name in node.output)

    @contextmanager
    def open(self, floats: Sequence[str], indices: Sequence[str], options: SessionOptions) -> Iterator[Session]:
        """Load the engine with these tensors as its outputs, in this order; joined operators come apart for it.

        Args:
            floats: names of float32 tensors.
            indices: names of int64 tensors.
            options: how to load it.
        """
        model = onnx.ModelProto()
        model.CopyFrom(self._graph)
        del model.graph.output[:]
        for names, kind in ((floats, onnx.TensorProto.FLOAT), (indices, onnx.TensorProto.INT64)):
            for name in names:
                output = f"{name}.observed"  # a graph may not put out its own input
                model.graph.node.append(helper.make_node("Identity", [name], [output]))
                model.graph.output.append(helper.make_tensor_value_info(output, kind, None))
        manifest = self._manifest
        session = self._target.load(model.SerializeToString(), manifest.metadata, manifest.settings, options)
        with closing(session):
            yield session
