"""What every custom op states about itself once: name, inputs, outputs, attributes, types, shape rule."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

DOMAIN = "segpp"
OPSET_VERSION = 1
PLUGIN_VERSION = "1"

FLOATS = ("float32", "float16")

Dim = int | str | None
"""A static, a named or an unknown dimension."""

ShapeRule = Callable[[Sequence[Sequence[Dim]], Mapping[str, int]], list[list[Dim]]]
"""Input shapes and attributes -> the shape of each output."""


@dataclass(frozen=True)
class Tensor:
    """An input or output: its name, the element types it may have, its shape in words.

    Tensors that may be `FLOATS` all have one and the same type in a node. Outputs are never optional.
    """

    name: str
    dtypes: tuple[str, ...]
    shape: str
    optional: bool = False


@dataclass(frozen=True)
class OpDeclaration:
    """The signature of a custom op in the ONNX domain `segpp`, shared by PyTorch, ONNX and TensorRT.

    Attributes are required integers: no op needs another kind. Where a plugin computes the op in TensorRT, it takes its
    declaration from here (`plugins/tensorrt/generate.py`).
    """

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    infer_shapes: ShapeRule
    attributes: tuple[str, ...] = ()
    has_plugin: bool = False

    @property
    def stem(self) -> str:
        """The snake_case name used by the PyTorch op and by file names.

        Example:
            >>> OpDeclaration("TokenMatch", (), (Tensor("rows", ("int32",), "[B, N]"),), lambda shapes, _: []).stem
            'token_match'
        """
        return re.sub(r"(?<!^)(?=[A-Z])", "_", self.name).lower()
