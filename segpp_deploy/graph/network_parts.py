"""The parts of the network that a profile tells apart, and how the name of a node says to which one it belongs."""

from __future__ import annotations

import re

from segpp_deploy.config import Choice


class NetworkPart(Choice):
    """What of the network a node computes."""

    PATCH_EMBEDDING = "patch embedding"
    ATTENTION = "attention"
    MERGING = "match, merge, unmerge"
    FEED_FORWARD = "feed-forward"
    HEAD = "head"
    REST = "rest"


_MARKS: tuple[tuple[re.Pattern[str], NetworkPart], ...] = tuple(
    (re.compile(pattern), part)
    for pattern, part in (
        (r"\.patch_embed\b", NetworkPart.PATCH_EMBEDDING),
        (r"\.layers\.\d+\.(norm1|attention)\b", NetworkPart.ATTENTION),
        (r"\.layers\.\d+\.merging\b", NetworkPart.MERGING),
        (r"\.layers\.\d+\.(norm2|feed_forward)\b", NetworkPart.FEED_FORWARD),
        (r"\bhead\b", NetworkPart.HEAD),
    )
)


def part_of(name: str) -> NetworkPart:
    """Return the part of a node, by the path in its name; each norm counts for what reads it.

    A name may hold those of several nodes that a runtime made one: the first that tells its part counts.

    Example:
        >>> str(part_of("encoder.stages.0.layers.1.norm2/node_layer_norm_7"))
        'feed-forward'
        >>> str(part_of("encoder.stages.0.norm/node_layer_norm_8 + head.stages.0/node_conv2d_9")), str(part_of("Cast_1"))
        ('head', 'rest')
    """
    found = ((match.start(), part) for pattern, part in _MARKS if (match := pattern.search(name)) is not None)
    return min(found, default=(0, NetworkPart.REST))[1]
