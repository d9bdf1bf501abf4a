"""The parts of the network that a profile tells apart, and how the name of a node says to which one it belongs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from segpp_deploy.config import Choice
from segpp_deploy.ops.node_names import path_in


class NetworkPart(Choice):
    """What of the network a node computes."""

    PATCH_EMBEDDING = "patch embedding"
    ATTENTION = "attention"
    MERGING = "match+merge+unmerge"
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


@dataclass(frozen=True)
class RuntimeNode:
    """A node of the graph that a runtime made of ours.

    Args:
        names: its own name, and those of our nodes that are known to be in it.
        readers: places in the graph's order of the nodes that read its results; all come later.
    """

    names: Sequence[str]
    readers: Sequence[int] = ()


def part_of(name: str) -> NetworkPart:
    """Return the part of a node, by the path in its name. The norms of a layer count for what reads them.

    Example:
        >>> str(part_of("encoder.stages.0.layers.1.norm2/node_layer_norm_7")), str(part_of("input/node_sub"))
        ('feed-forward', 'rest')
    """
    path = path_in(name)
    return next((part for pattern, part in _MARKS if pattern.search(path)), NetworkPart.REST)


def parts_in_order(nodes: Sequence[RuntimeNode]) -> tuple[NetworkPart, ...]:
    """Return the part of each node.

    Of the names that have a path, most decide, the first of equals. A node without one was put in by the runtime, such
    as a change of layout: it counts for the first of its readers whose part is known.

    Example:
        >>> nodes = [RuntimeNode(["Reorder_1"], [1]), RuntimeNode(["conv", "head.predict/node_conv2d_9"])]
        >>> [str(part) for part in parts_in_order(nodes)]
        ['head', 'head']
    """
    found: dict[int, NetworkPart] = {}
    for index in reversed(range(len(nodes))):
        named = Counter(part_of(name) for name in nodes[index].names if path_in(name))
        read = next((found[reader] for reader in nodes[index].readers if reader in found), None)
        part = named.most_common(1)[0][0] if named else read
        if part is not None:
            found[index] = part
    return tuple(found.get(index, NetworkPart.REST) for index in range(len(nodes)))
