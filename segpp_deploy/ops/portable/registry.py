"""The portable body of every custom op: `lower_STEM` in the module of the op's stem."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import onnx_ir as ir

from segpp_deploy.ops.declaration import OpDeclaration
from segpp_deploy.ops.portable.writer import Matches, NodeWriter
from segpp_deploy.ops.registry import DECLARATIONS

PortableBody = Callable[[NodeWriter, ir.Node, Matches], tuple[ir.Value, ...]]
"""Writes the nodes that replace a custom node, and returns the values that replace its outputs."""


def _find_body(op: OpDeclaration) -> PortableBody:
    body: PortableBody = getattr(importlib.import_module(f"segpp_deploy.ops.portable.{op.stem}"), f"lower_{op.stem}")
    return body


LOWERINGS: dict[str, PortableBody] = {name: _find_body(op) for name, op in DECLARATIONS.items()}
