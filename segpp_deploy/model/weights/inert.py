"""What takes the place of foreign objects in a pickle: it keeps what it is given and runs nothing.

Of two kinds the content is read back: modules (their tensors) and numpy's arrays (their numbers).
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch


class Inert:
    """Stands for an object of some class, or for what some function returned."""

    def __new__(cls, *_args: object, **_kwargs: object) -> Inert:
        """Take any arguments."""
        return super().__new__(cls)

    def __init__(self, *args: object, **_kwargs: object) -> None:
        self.args = args
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


class InertDict:
    """Stands for a dictionary's subclass (`AttributeDict`, `ConfigDict`); torch fills plain dictionaries only."""

    def __new__(cls, *_args: object, **_kwargs: object) -> OrderedDict[Any, Any]:  # type: ignore[misc]
        """Give a plain dictionary."""
        return OrderedDict()


class InertList:
    """Stands for a list's subclass."""

    def __new__(cls, *_args: object, **_kwargs: object) -> list[Any]:  # type: ignore[misc]
        """Give a plain list."""
        return []


class InertDtype(Inert):
    """Stands for `numpy.dtype`."""

    def code(self) -> str | None:
        """Return the type's code such as `<f4`; None of what holds no plain numbers."""
        name = str(self.args[0]) if self.args else ""
        order = self.state[1] if isinstance(self.state, tuple) and len(self.state) > 1 else "<"
        return f"{'>' if order == '>' else '<'}{name}" if re.fullmatch(r"[biuf][1248]", name) else None


class InertArray(Inert):
    """Stands for `numpy._core.multiarray._reconstruct`, which is followed by shape, type and bytes."""

    def numbers(self) -> list[Any] | None:
        """Return the array as nested lists; None where it is damaged or holds something else."""
        try:
            state: Any = self.state
            _, shape, dtype, is_fortran, raw = state
            array = np.frombuffer(raw, dtype.code()).reshape(shape, order="F" if is_fortran else "C")
        except (TypeError, ValueError, AttributeError):
            return None
        listed: list[Any] = array.tolist()
        return listed


class InertScalar(Inert):
    """Stands for `numpy._core.multiarray.scalar`."""

    def number(self) -> float | int | None:
        """Return the number; None where it is damaged or something else."""
        try:
            arguments: Any = self.args
            dtype, raw = arguments
            found: float | int = np.frombuffer(raw, dtype.code())[0].item()
        except (TypeError, ValueError, AttributeError, IndexError):
            return None
        return found


def readable(content: Any) -> Any:
    """Return the content with numpy's arrays as lists, its scalars as numbers and modules as their state dicts."""
    if isinstance(content, InertArray):
        return content.numbers()
    if isinstance(content, InertScalar):
        return content.number()
    if is_module(content):
        return dict(_module_tensors(content, ""))
    if isinstance(content, dict):
        return {readable(key): readable(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return type(content)(map(readable, content)) if type(content) in (list, tuple) else content
    return content


def is_module(content: object) -> bool:
    """Tell whether this stood for a torch module."""
    state = content.state if isinstance(content, Inert) else None
    return isinstance(state, dict) and {"_parameters", "_buffers", "_modules"} <= state.keys()


def _module_tensors(module: Any, prefix: str) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield what `module.state_dict()` holds."""
    state = module.state
    not_kept = state.get("_non_persistent_buffers_set") or ()
    for kind in ("_parameters", "_buffers"):
        for name, tensor in state[kind].items():
            if isinstance(tensor, torch.Tensor) and not (kind == "_buffers" and name in not_kept):
                yield prefix + name, tensor.detach()
    for name, child in state["_modules"].items():
        if is_module(child):
            yield from _module_tensors(child, f"{prefix}{name}.")
