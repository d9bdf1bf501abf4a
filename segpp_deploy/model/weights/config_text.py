"""The configuration that mmengine and mmcv store as Python text: read as data, never run."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

_MAX_CHARACTERS = 4 << 20


def parse_config_text(text: str) -> dict[str, Any]:
    """Return what the text assigns, as dictionaries, lists and plain values; {} where it is no Python text.

    Literals, `dict(...)` and names assigned before are understood; any other expression becomes None.

    Example:
        >>> parse_config_text("norm = dict(mean=[1, -2])\\nmodel = dict(pre=norm, depth=f())")
        {'norm': {'mean': [1, -2]}, 'model': {'pre': {'mean': [1, -2]}, 'depth': None}}
    """
    if len(text) > _MAX_CHARACTERS:
        return {}
    values: dict[str, Any] = {}
    try:
        for statement in ast.parse(text).body:
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                values[statement.targets[0].id] = _value(statement.value, values)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    return values


def find_mappings(content: Any, depth: int = 12) -> Iterator[Mapping[str, Any]]:
    """Yield every dictionary of a configuration, outer ones first."""
    if depth == 0:
        return
    if isinstance(content, Mapping):
        yield content
        content = list(content.values())
    if isinstance(content, list | tuple):
        for entry in content:
            yield from find_mappings(entry, depth - 1)


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return [_value(entry, names) for entry in node.elts]
    if isinstance(node, ast.Dict):
        return _merged((None if key is None else _value(key, names), value) for key, value in _pairs(node, names))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict":
        return _merged((keyword.arg, _value(keyword.value, names)) for keyword in node.keywords)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _value(node.operand, names)
        return -inner if isinstance(inner, int | float) else None
    return None


def _pairs(node: ast.Dict, names: Mapping[str, Any]) -> Iterator[tuple[ast.expr | None, Any]]:
    return ((key, _value(value, names)) for key, value in zip(node.keys, node.values, strict=True))


def _merged(pairs: Iterator[tuple[Any, Any]]) -> dict[str, Any]:
    """Return a dictionary; a pair without a key is one that `**` spreads."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key is not None:
            found[str(key)] = value
        elif isinstance(value, Mapping):
            found.update(value)
    return found
