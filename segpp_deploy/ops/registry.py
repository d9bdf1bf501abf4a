"""All custom ops."""

from __future__ import annotations

from segpp_deploy.ops.declaration import OpDeclaration
from segpp_deploy.ops.token_match import TOKEN_MATCH
from segpp_deploy.ops.token_merge import TOKEN_MERGE
from segpp_deploy.ops.token_unmerge import TOKEN_UNMERGE
from segpp_deploy.ops.upsample_argmax import UPSAMPLE_ARGMAX

DECLARATIONS: dict[str, OpDeclaration] = {
    op.name: op for op in (TOKEN_MATCH, TOKEN_MERGE, TOKEN_UNMERGE, UPSAMPLE_ARGMAX)
}
