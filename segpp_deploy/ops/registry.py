"""All custom ops: a line here is the op's stem, and everything else is found by it."""

from __future__ import annotations

import importlib

from segpp_deploy.ops.declaration import OpDeclaration

_STEMS = (
    "token_match",
    "token_match_merge",
    "token_merge",
    "token_merge_with_size",
    "token_unmerge",
    "upsample_argmax",
)


def _find_declaration(stem: str) -> OpDeclaration:
    """Return the constant in the op's module that has the op's name."""
    declaration: OpDeclaration = getattr(importlib.import_module(f"segpp_deploy.ops.{stem}"), stem.upper())
    return declaration


DECLARATIONS: dict[str, OpDeclaration] = {op.name: op for op in map(_find_declaration, _STEMS)}

WITH_PLUGIN: dict[str, OpDeclaration] = {name: op for name, op in DECLARATIONS.items() if op.has_plugin}
"""Those that TensorRT computes by a plugin; the others are lowered to their portable bodies for it too."""
