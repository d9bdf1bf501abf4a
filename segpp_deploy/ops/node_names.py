"""Names of graph nodes that tell the module they come from: `encoder.stages.0.layers.1.attention/node_softmax_3`.

Runtimes keep names of nodes in their profiles, whatever else they change. Tensors have names of their own.
"""

from __future__ import annotations

_END_OF_PATH = "/"


def name_in(path: str, name: str) -> str:
    """Return a node's name with the path of its module; an empty path changes nothing.

    Example:
        >>> name_in("head.predict", "node_conv2d_9"), name_in("", "node_sub")
        ('head.predict/node_conv2d_9', 'node_sub')
    """
    return f"{path}{_END_OF_PATH}{name}" if path else name


def path_in(name: str | None) -> str:
    """Return the path of a node's module, "" where the name has none.

    Example:
        >>> path_in("head.predict/node_conv2d_9"), path_in("node_sub")
        ('head.predict', '')
    """
    return (name or "").rpartition(_END_OF_PATH)[0]


def name_beside(other: str | None, name: str | None) -> str:
    """Return the name of a node that is written for another one, or in its place: it belongs to the same module.

    Example:
        >>> name_beside("head.predict/node_conv2d_9", "conv2d_9.fp16")
        'head.predict/conv2d_9.fp16'
    """
    return name_in(path_in(other), name or "")
