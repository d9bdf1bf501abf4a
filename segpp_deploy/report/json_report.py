"""Results as JSON that every parser accepts."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import PurePath
from typing import Any


def to_json(value: Any, *, ascii_only: bool = False) -> str:
    """Return indented JSON; paths and enums as strings, NumPy numbers as numbers, NaN and infinity as null.

    `ascii_only` writes other characters as escapes, for streams that cannot take them.

    Raises:
        TypeError: a type that has no obvious JSON form.

    Example:
        >>> print(to_json({"miou": float("nan"), "path": PurePath("a/b")}))
        {
          "miou": null,
          "path": "a/b"
        }
    """
    return json.dumps(_plain(value), indent=2, ensure_ascii=ascii_only, allow_nan=False)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int)):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, (Enum, PurePath)):
        return str(value)
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (Sequence, set, frozenset)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy arrays and scalars
        return _plain(value.tolist())
    raise TypeError(f"{type(value).__name__} has no JSON form")
