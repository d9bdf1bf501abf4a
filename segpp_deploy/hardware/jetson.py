"""The Jetson that this is: its board, its release of Linux for Tegra, and its power mode."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_DEVICE_TREE = Path("/proc/device-tree")
_RELEASE = Path("/etc/nv_tegra_release")
_MAKER = "nvidia,tegra"
_TIMEOUT_S = 10


@dataclass(frozen=True)
class Jetson:
    """A board.

    Args:
        board: as its device tree names it.
        l4t: release of Linux for Tegra, e.g. "36.4.0" (JetPack 6.1); "" if unknown, as in a container.
        power_mode: such as "MAXN" or "15W"; "" if unknown, as in a container.
    """

    board: str
    l4t: str
    power_mode: str


def find_jetson() -> Jetson | None:
    """Return what is known of this machine, if it is a Jetson."""
    if not any(name.startswith(_MAKER) for name in compatible_names()):
        return None
    board = _read(_DEVICE_TREE / "model").strip("\0\n ")
    return Jetson(board, parse_release(_read(_RELEASE)), parse_power_mode(_ask_nvpmodel()))


def compatible_names() -> list[str]:
    """Return the names by which the device tree says what this machine is, e.g. "nvidia,tegra234"; none on a PC."""
    return _read(_DEVICE_TREE / "compatible").split("\0")


def parse_release(text: str) -> str:
    """Read the release from the text of /etc/nv_tegra_release; "" if it is not there.

    Example:
        >>> parse_release("# R36 (release), REVISION: 4.0, GCID: 37537400, BOARD: generic, EABI: aarch64")
        '36.4.0'
    """
    match = re.search(r"R(\d+) \(release\), REVISION: ([\d.]+)", text)
    return f"{match[1]}.{match[2]}" if match else ""


def parse_power_mode(text: str) -> str:
    """Read the name of the power mode from what `nvpmodel -q` prints; "" if it does not say.

    Example:
        >>> parse_power_mode("NV Power Mode: MAXN\\n0\\n")
        'MAXN'
    """
    match = re.search(r"NV Power Mode:[ \t]*(\S+)", text)
    return match[1] if match else ""


def _ask_nvpmodel() -> str:
    program = shutil.which("nvpmodel")
    if program is None:
        return ""
    try:
        answer = subprocess.run(
            [program, "-q"], capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
