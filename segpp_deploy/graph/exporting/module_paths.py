"""The module that each node of a traced graph comes from, written into its name."""

from __future__ import annotations

import ast

import onnx_ir as ir

from segpp_deploy.ops.declaration import DOMAIN
from segpp_deploy.ops.node_names import name_in, path_in

_SCOPES = "pkg.torch.onnx.name_scopes"
"""Where PyTorch's exporter notes the modules around an operation, the outermost first, the operation itself last."""

_MODEL = "model"
_INPUT, _MERGING, _ATTENTION = "input", "merging", "attention"
_POOLING = frozenset({"AveragePool", "Resize"})
_LAYOUT = frozenset({"Reshape", "Transpose"})


def name_after_modules(graph: ir.Graph) -> None:
    """Put the path of its module before the name of each node, in place.

    What an encoder layer computes between its modules is told apart by what it is: merging is our own ops, or pooling
    with its changes of layout; a sum belongs to what computed the last of its terms; all else is attention's. Outside
    of the encoder and the head lie what makes the network's input of the picture, and what follows the head, which
    counts as the head's.
    """
    order = {node: index for index, node in enumerate(graph)}
    for node in order:
        path = _module_of(node)
        if _is_encoder_layer(path):
            path = _path_in_layer(node, path, order)
        elif not path:
            before = (path_in(maker.name) for maker in _makers(node))
            path = next((path for path in before if path.startswith("head")), _INPUT)
        node.name = name_in(path, node.name or node.op_type)


def _module_of(node: ir.Node) -> str:
    scopes = ast.literal_eval(node.metadata_props.get(_SCOPES, "[]"))
    path: str = scopes[-2] if len(scopes) > 1 else ""
    return path.removeprefix(_MODEL).removeprefix(".")


def _is_encoder_layer(path: str) -> bool:
    parent, _, index = path.rpartition(".")
    return parent.endswith(".layers") and index.isdecimal()


def _path_in_layer(node: ir.Node, layer: str, order: dict[ir.Node, int]) -> str:
    if _is_merging(node):
        return f"{layer}.{_MERGING}"
    makers = _makers(node)
    if node.op_type == "Add" and makers:
        return path_in(max(makers, key=order.__getitem__).name)
    return f"{layer}.{_ATTENTION}"


def _is_merging(node: ir.Node) -> bool:
    if node.domain == DOMAIN or node.op_type in _POOLING:
        return True
    return node.op_type in _LAYOUT and (_pools_before(node) or _pools_behind(node))


def _pools_before(layout: ir.Node) -> bool:
    makers = _makers(layout)
    return any(maker.op_type in _POOLING or (maker.op_type in _LAYOUT and _pools_before(maker)) for maker in makers)


def _pools_behind(layout: ir.Node) -> bool:
    users = [use.node for use in layout.outputs[0].uses()]
    return any(user.op_type in _POOLING or (user.op_type in _LAYOUT and _pools_behind(user)) for user in users)


def _makers(node: ir.Node) -> list[ir.Node]:
    found = (value.producer() for value in node.inputs if value is not None)
    return [maker for maker in found if maker is not None]
