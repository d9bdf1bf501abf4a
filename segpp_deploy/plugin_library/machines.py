"""Processors that a library can be built for: this one, and what there is a cross build for."""

from __future__ import annotations

import platform
from dataclasses import dataclass

from segpp_deploy import commands
from segpp_deploy.errors import SegppError, quote

AARCH64 = "aarch64"


@dataclass(frozen=True)
class Machine:
    """A processor, by the name that the system has for it, e.g. "aarch64"."""

    name: str

    @property
    def is_this(self) -> bool:
        """Whether libraries for it run here."""
        return self.name == platform.machine()

    @property
    def cross_compiler(self) -> str:
        """GCC for it on another processor, as distributions name it."""
        return f"{self.name}-linux-gnu-g++"


def this_machine() -> Machine:
    """Return the processor of this machine."""
    return Machine(platform.machine())


def parse_machine(name: str | None) -> Machine:
    """Parse what `--machine` takes; None is this machine.

    Raises:
        SegppError: neither this machine nor one that there is a cross build for.
    """
    if name is None:
        return this_machine()
    if name not in (AARCH64, platform.machine()):
        raise SegppError(
            f"{quote(name)} is no processor that the plugins can be built for here.",
            f"{AARCH64}, for a Jetson, or {platform.machine()}, which this is.",
            commands.option("machine", AARCH64),
        )
    return Machine(name)
