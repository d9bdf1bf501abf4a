"""Up to how many tokens the kernels join steps in one launch; tests count the launches beside them."""

from __future__ import annotations

MOST_TOKENS_OF_ONE_MATCH = 2048
"""The comparison and the selection, and the merge by the map too: `kMostTokensOfOneLaunch` in match_launch.h."""

MOST_TOKENS_OF_SELECT_AND_MERGE = 4096
"""The selection and the merge: `kMostTokensOfSelectMerge` in token_select_merge_kernel.cuh."""

MOST_TOKENS_OF_ONE_MERGE = 8192
"""`kMostListedTokens` in token_merge_kernel.cuh."""
