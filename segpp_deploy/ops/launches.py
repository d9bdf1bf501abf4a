"""Up to how many tokens the kernels take one launch; tests count the launches of plugins/kernels beside them."""

from __future__ import annotations

MOST_TOKENS_OF_ONE_MATCH = 2048
"""The merge by the map included: `kMostTokensOfOneLaunch` in match_launch.h."""

MOST_TOKENS_OF_ONE_MERGE = 8192
"""`kMostListedTokens` in token_merge_kernel.cuh."""
