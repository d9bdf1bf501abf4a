"""The custom ops: one declaration and one PyTorch reference each."""

from segpp_deploy.ops.declaration import DOMAIN, OPSET_VERSION, PLUGIN_VERSION, OpDeclaration
from segpp_deploy.ops.token_match import TOKEN_MATCH, token_match
from segpp_deploy.ops.token_merge import TOKEN_MERGE, token_merge
from segpp_deploy.ops.token_unmerge import TOKEN_UNMERGE, token_unmerge
from segpp_deploy.ops.upsample_argmax import UPSAMPLE_ARGMAX, upsample_argmax

DECLARATIONS: dict[str, OpDeclaration] = {
    op.name: op for op in (TOKEN_MATCH, TOKEN_MERGE, TOKEN_UNMERGE, UPSAMPLE_ARGMAX)
}

__all__ = [
    "DECLARATIONS",
    "DOMAIN",
    "OPSET_VERSION",
    "PLUGIN_VERSION",
    "OpDeclaration",
    "token_match",
    "token_merge",
    "token_unmerge",
    "upsample_argmax",
]
