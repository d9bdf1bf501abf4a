"""How fast this machine's clocks run, within which limits, and how warm it is: what Linux and `nvidia-smi` tell."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from segpp_deploy.hardware.nvidia_smi import ask_nvidia_smi

_SYS = Path("/sys")
_PINNED_BY = "performance"  # the governor that holds a clock at its upper limit
_DEVICES = {"GPU": r"gpu|g[apv]\d\db", "memory": r"bwmgr|emc"}  # in /sys/class/devfreq, as Jetsons and others name them
_LEAST_C, _MOST_C = 0.0, 150.0  # sensors that are switched off report what no chip survives
_GPU_QUERY = "clocks.sm,temperature.gpu"


@dataclass(frozen=True)
class Clock:
    """A clock that the kernel may change.

    Args:
        name: what it drives, e.g. "CPU".
        now_mhz: at this moment; of several that share limits the mean.
        min_mhz: lowest it is allowed.
        max_mhz: highest it is allowed.
        governor: which rule chooses.
    """

    name: str
    now_mhz: float
    min_mhz: float
    max_mhz: float
    governor: str

    @property
    def floats(self) -> bool:
        """Whether the kernel lowers it when there is little to do."""
        return self.min_mhz < self.max_mhz and self.governor != _PINNED_BY


@dataclass(frozen=True)
class Reading:
    """Clocks in MHz and temperatures in degrees Celsius at one moment, by name; empty where nobody tells."""

    clocks_mhz: dict[str, float] = field(default_factory=dict)
    temperatures_c: dict[str, float] = field(default_factory=dict)


def read_sensors(sys: Path = _SYS) -> Reading:
    """Return what can be read now; takes a moment where `nvidia-smi` is asked."""
    gpus = _ask_nvidia_smi()
    clocks = {clock.name: clock.now_mhz for clock in read_clocks(sys)}
    return Reading(clocks | gpus.clocks_mhz, read_temperatures(sys) | gpus.temperatures_c)


def read_clocks(sys: Path = _SYS) -> tuple[Clock, ...]:
    """Return the clocks of the CPU, of an integrated GPU and of memory, as far as the kernel shows them."""
    policies = _read_clocks("CPU", sorted(sys.glob("devices/system/cpu/cpufreq/policy[0-9]*")), "scaling_")
    devices = sorted(sys.glob("class/devfreq/*"))
    for name, pattern in _DEVICES.items():
        policies += _read_clocks(name, [path for path in devices if re.search(pattern, path.name)], "")
    return tuple(policies)


def read_temperatures(sys: Path = _SYS) -> dict[str, float]:
    """Return the kernel's thermal zones by their type; of zones of one type the hottest."""
    found: defaultdict[str, float] = defaultdict(float)
    for zone in sorted(sys.glob("class/thermal/thermal_zone[0-9]*")):
        celsius = _number(zone / "temp") / 1000
        if _LEAST_C < celsius < _MOST_C:
            name = _text(zone / "type") or zone.name
            found[name] = max(found[name], celsius)
    return dict(found)


def parse_gpus(table: str) -> Reading:
    """Parse the CSV lines of `nvidia-smi` for the query above, one for each GPU; what it does not know is left out.

    Example:
        >>> parse_gpus("1980, 61\\n[N/A], 40")
        Reading(clocks_mhz={'GPU 0': 1980.0}, temperatures_c={'GPU 0': 61.0, 'GPU 1': 40.0})
    """
    reading = Reading()
    for index, row in enumerate(csv.reader(table.splitlines(), skipinitialspace=True)):
        for values, word in zip((reading.clocks_mhz, reading.temperatures_c), row, strict=False):
            if re.fullmatch(r"\d+(\.\d+)?", word):
                values[f"GPU {index}"] = float(word)
    return reading


def _read_clocks(name: str, folders: Iterable[Path], prefix: str) -> list[Clock]:
    """Return one clock for each set of limits; with a number where there are several."""
    alike: defaultdict[tuple[float, float, str], list[Path]] = defaultdict(list)
    for folder in folders:
        low, high = _number(folder / f"{prefix}min_freq"), _number(folder / f"{prefix}max_freq")
        if high:
            alike[low, high, _text(folder / f"{prefix}governor")].append(folder)
    per_mhz = 1e3 if prefix else 1e6  # cpufreq counts in kHz, devfreq in Hz
    clocks = []
    for index, ((low, high, governor), same) in enumerate(alike.items()):
        now = sum(_number(folder / f"{prefix}cur_freq") for folder in same) / len(same)
        full = f"{name} {index}" if len(alike) > 1 else name
        clocks.append(Clock(full, now / per_mhz, low / per_mhz, high / per_mhz, governor))
    return clocks


def _ask_nvidia_smi() -> Reading:
    return parse_gpus(ask_nvidia_smi(f"--query-gpu={_GPU_QUERY}", "--format=csv,noheader,nounits"))


def _number(path: Path) -> float:
    text = _text(path)
    return float(text) if re.fullmatch(r"-?\d+", text) else 0.0


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    except OSError:  # some sensors answer with an error while they are switched off
        return ""
