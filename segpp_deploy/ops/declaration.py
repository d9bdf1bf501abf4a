"""What every custom op states about itself once: name, inputs, outputs, attributes, types."""

from __future__ import annotations

import re
from dataclasses import dataclass

DOMAIN = "segpp"
OPSET_VERSION = 1
PLUGIN_VERSION = "1"

FLOATS = ("float32", "float16")


@dataclass(frozen=True)
class Tensor:
    """An input or output: its name, the element types it may have, its shape in words."""

    name: str
    dtypes: tuple[str, ...]
    shape: str
    optional: bool = False


@dataclass(frozen=True)
class Attribute:
    """An integer attribute (no op needs another kind)."""

    name: str


@dataclass(frozen=True)
class OpDeclaration:
    """The signature of a custom op in the ONNX domain `segpp`, shared by PyTorch, ONNX and TensorRT."""

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    attributes: tuple[Attribute, ...] = ()

    @property
    def stem(self) -> str:
        """The snake_case name used by the PyTorch op and by file names.

        Example:
            >>> OpDeclaration("TokenMatch", (), ()).stem
            'token_match'
        """
        return re.sub(r"(?<!^)(?=[A-Z])", "_", self.name).lower()
