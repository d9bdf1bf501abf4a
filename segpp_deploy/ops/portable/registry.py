"""The portable body of every custom op."""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir

from segpp_deploy.ops.portable.token_match import lower_token_match
from segpp_deploy.ops.portable.token_merge import lower_token_merge
from segpp_deploy.ops.portable.token_unmerge import lower_token_unmerge
from segpp_deploy.ops.portable.upsample_argmax import lower_upsample_argmax
from segpp_deploy.ops.portable.writer import Matches, NodeWriter

LOWERINGS: dict[str, Callable[[NodeWriter, ir.Node, Matches], ir.Value]] = {
    "TokenMatch": lower_token_match,
    "TokenMerge": lower_token_merge,
    "TokenUnmerge": lower_token_unmerge,
    "UpsampleArgmax": lower_upsample_argmax,
}
