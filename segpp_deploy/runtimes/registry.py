"""The targets by name: their facts, their implementations, and the one that `auto` stands for."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from segpp_deploy.errors import SegppError
from segpp_deploy.hardware.devices import DeviceKind, devices_here
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.target import PluginTarget, Target, TargetInfo


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


def open_with_plugins(name: TargetName) -> PluginTarget:
    """Return the implementation of a target that takes plugin graphs, if it can compute their custom nodes here.

    Raises:
        SegppError: its runtime is missing, or the library that computes them.
    """
    target: PluginTarget = _find(TARGETS[name].implementation)()
    target.require_plugins()
    return target


def contending_targets() -> tuple[TargetName, ...]:
    """Return the targets that are tried where none is named: those that AUTO may take on a device of this machine."""
    devices = devices_here()
    return tuple(name for name, info in TARGETS.items() if any(device in info.auto_ranks for device in devices))


@dataclass(frozen=True)
class TargetChoice:
    """The target that AUTO stands for here.

    Args:
        target: its name.
        why: the rule, in a sentence.
        faster: the target that would have been taken if it worked, and how to get it, in a sentence; or nothing.
    """

    target: TargetName
    why: str
    faster: str = ""

    @property
    def note(self) -> str:
        """All of it in one line."""
        return f"Target {self.target}: {self.why}{f' {self.faster}' if self.faster else ''}"


def choose_target(devices: Sequence[DeviceKind] | None = None) -> TargetChoice:
    """Return the fastest target that works here, by the ranks that targets state in `TargetInfo.auto_ranks`.

    A rule and not a measurement: the same command builds for the same target, at once, and also where a call takes
    seconds. `doctor --measure` times the targets of this machine.

    Args:
        devices: to choose for, the fastest first; None = those that are here.
    """
    faster = ""
    for device in devices_here() if devices is None else devices:
        for info in _ranked(device):
            try:
                open_target(info.name).require_device()
            except SegppError as error:
                faster = faster or f"{info.name} is faster as a rule, but: {error.what} To get it: {error.fix}"
                continue
            return TargetChoice(info.name, f"as a rule the fastest on an {device} of those that work here.", faster)
    return TargetChoice(TargetName.CPU, "the one that runs anywhere; none that may be taken works here.", faster)


def resolve_auto(name: TargetName) -> TargetName:
    """Return `name`, or for AUTO the target of `choose_target`."""
    return choose_target().target if name is TargetName.AUTO else name


def _ranked(device: DeviceKind) -> list[TargetInfo]:
    """Return the targets that AUTO may take on a device, the fastest first."""
    able = [info for info in TARGETS.values() if device in info.auto_ranks]
    return sorted(able, key=lambda info: info.auto_ranks[device])
