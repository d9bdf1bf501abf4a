"""How fast the machine lets its clocks run while engines are timed: power mode, limits, and what to do about them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from segpp_deploy.hardware.clocks import Clock, read_clocks
from segpp_deploy.hardware.jetson import Jetson, find_jetson

_UNKNOWN = Jetson("", "", "")


@dataclass(frozen=True)
class PowerState:
    """What is known of power.

    Args:
        jetson: the board; None elsewhere.
        clocks: those that the kernel scales; none where it does not show them, as in many virtual machines.
    """

    jetson: Jetson | None = None
    clocks: tuple[Clock, ...] = ()

    @property
    def mode(self) -> str:
        """The power mode; "" where nobody tells."""
        return (self.jetson or _UNKNOWN).power_mode

    @property
    def floating(self) -> tuple[str, ...]:
        """The clocks that the kernel lowers when there is little to do."""
        return tuple(clock.name for clock in self.clocks if clock.floats)

    @property
    def notes(self) -> tuple[str, ...]:
        """A warning where clocks float and one command pins them; a PC's always do, and take care of themselves."""
        if self.jetson is None or not self.floating:
            return ()
        names = ", ".join(self.floating)
        return (f"Warning: clocks float ({names}), so figures scatter and are too slow. Pin them: sudo jetson_clocks",)

    @property
    def rows(self) -> list[tuple[str, str]]:
        """What is known, by name."""
        board = self.jetson or _UNKNOWN
        known = [("board", board.board), ("Linux for Tegra", board.l4t), ("power mode", board.power_mode)]
        known += [(f"{clock.name} clock", _limits(clock)) for clock in self.clocks]
        return [(name, value) for name, value in known if value]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        board = self.jetson or _UNKNOWN
        clocks = [{**asdict(clock), "floats": clock.floats} for clock in self.clocks]
        return {"board": board.board, "l4t": board.l4t, "mode": self.mode, "clocks": clocks}


def describe_power() -> PowerState:
    """Return what this machine tells now."""
    return PowerState(find_jetson(), read_clocks())


def _limits(clock: Clock) -> str:
    if clock.floats:
        return f"{clock.min_mhz:.0f} to {clock.max_mhz:.0f} MHz ({clock.governor})"
    return f"{clock.max_mhz:.0f} MHz"
