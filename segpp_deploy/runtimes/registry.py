"""The targets by name: their facts, their implementations, and the one that `auto` stands for."""

from __future__ import annotations

import importlib
from typing import Any

from segpp_deploy.errors import SegppError
from segpp_deploy.hardware.nvidia_gpu import has_nvidia_gpu
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.target import Target, TargetInfo


def _find(place: str) -> Any:
    """Return what stands at "module:attribute" below this package."""
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(f"segpp_deploy.runtimes.{module}"), attribute)


TARGETS: dict[TargetName, TargetInfo] = {
    name: _find(name.declared_in) for name in TargetName if name.declared_in is not None
}


def open_target(name: TargetName) -> Target:
    """Return the implementation of a target (not AUTO).

    Raises:
        SegppError: its runtime is missing.
    """
    target: Target = _find(TARGETS[name].implementation)()
    return target


def resolve_auto(name: TargetName) -> TargetName:
    """Return `name`, or for AUTO the fastest target that works here: with a GPU by `TargetInfo.auto_rank`, else cpu."""
    if name is not TargetName.AUTO:
        return name
    ranked = [(info.auto_rank, info.name) for info in TARGETS.values() if info.auto_rank is not None]
    for _, candidate in sorted(ranked) if has_nvidia_gpu() else ():
        try:
            open_target(candidate).require_device()
        except SegppError:
            continue
        return candidate
    return TargetName.CPU
