"""Every tensor of the float32 PyTorch model, by the names that the exported graph gives them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from segpp_deploy.graph.exporting.deployable import Deployable
from segpp_deploy.graph.exporting.tracing import trace_program
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.model.folding import fold_model
from segpp_deploy.model.segformer import SegFormer

Array = NDArray[Any]

_MATCH = torch.ops.segpp.token_match.default


class TorchTensors:
    """Runs a model node by node.

    Args:
        model: as trained, float32, in eval mode, with the plan of the file; it is folded as exports are.
        metadata: of the exported file.
    """

    def __init__(self, model: SegFormer, metadata: ExportMetadata) -> None:
        module = Deployable.behind(metadata, fold_model(model))
        self._program = trace_program(module.eval(), metadata.size.hw, metadata.images_per_call)
        computed = [node for node in self._program.graph.nodes if node.op == "call_function"]
        self.matches = tuple(node.name for node in computed if node.target is _MATCH)
        """Names of the maps from tokens to rows."""
        self.float_bytes = {node.name: size for node in computed if (size := _float_bytes(node.meta.get("val")))}
        """Sizes of the float32 tensors."""
        self.names = tuple(node.name for node in computed if node.name in {*self.matches, *self.float_bytes})
        """Both, in the order in which they are computed."""

    def run(
        self, images: Array, wanted: Collection[str], replaced: Mapping[str, Array] | None = None
    ) -> dict[str, Array]:
        """Return tensors by name.

        Args:
            images: what the exported file takes.
            wanted: which tensors.
            replaced: matches to go on with in the place of the model's own.
        """
        found: dict[str, Array] = {}
        given = replaced or {}

        class Recorder(torch.fx.Interpreter):
            def run_node(self, n: torch.fx.Node) -> Any:
                result = super().run_node(n)
                if n.name in given:
                    result = torch.from_numpy(np.array(given[n.name])).to(result.dtype)
                if n.name in wanted:
                    found[n.name] = result.numpy().copy()
                return result

        with torch.inference_mode():
            Recorder(self._program).run(torch.from_numpy(np.require(images, requirements=["C", "W"])))
        return found


def _float_bytes(value: object) -> int:
    is_float = isinstance(value, torch.Tensor) and value.dtype is torch.float32
    return 4 * value.numel() if is_float and isinstance(value, torch.Tensor) else 0
