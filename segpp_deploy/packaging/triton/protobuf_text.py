"""Protobuf's text format, as far as Triton's model configurations need it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


class Word(str):
    """The name of an enum's value, which is written without quotes."""

    __slots__ = ()


Fields = Mapping[str, Any]  # numbers, booleans, strings, words, messages (which are `Fields`), and lists of one of them


def format_message(fields: Fields, indent: str = "") -> str:
    """Return the text of a message.

    Example:
        >>> image = {"data_type": Word("TYPE_UINT8"), "dims": [4, -1]}
        >>> print(format_message({"name": "fast", "input": [image]}), end="")
        name: "fast"
        input {
          data_type: TYPE_UINT8
          dims: [4, -1]
        }
    """
    lines = []
    for name, value in fields.items():
        for one in value if isinstance(value, list) and any(isinstance(one, Mapping) for one in value) else [value]:
            if isinstance(one, Mapping):
                lines.append(f"{indent}{name} {{\n{format_message(one, indent + '  ')}{indent}}}\n")
            else:
                lines.append(f"{indent}{name}: {_format_value(one)}\n")
    return "".join(lines)


def _format_value(value: Any) -> str:
    if isinstance(value, Word):
        return value
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_format_value, value))}]"
    return json.dumps(value)
