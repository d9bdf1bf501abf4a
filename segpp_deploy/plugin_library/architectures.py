"""GPU architectures, written as CMake does: "87" is compute capability 8.7."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from segpp_deploy import commands
from segpp_deploy.errors import SegppError
from segpp_deploy.hardware.jetson import compatible_names
from segpp_deploy.hardware.nvidia_smi import ask_nvidia_smi

ALL = "all"
ARCHITECTURES = ("75", "80", "86", "87", "89", "90", "100", "110", "120")  # what `all` means, and what is tested
OLDEST = ARCHITECTURES[0]

_JETSON_CHIPS = {"tegra194": "72", "tegra234": "87", "tegra264": "110"}
_FIRST_CUDA = {"87": "11.4", "89": "11.8", "90": "11.8", "100": "12.8", "120": "12.8", "103": "12.9", "121": "12.9"}
_FIRST_CUDA |= {"88": "13.0", "110": "13.0"}


def parse_architectures(words: Iterable[str]) -> tuple[str, ...]:
    """Parse what `--arch` takes: 87, 8.7 or sm_87, several with commas between, or `all`.

    Raises:
        SegppError: not a compute capability, or older than 7.5.

    Example:
        >>> parse_architectures(["8.9,sm_87", "120"])
        ('87', '89', '120')
    """
    found: set[str] = set()
    for word in (part.strip() for text in words for part in text.split(",")):
        if word.lower() == ALL:
            found.update(ARCHITECTURES)
        else:
            found.add(_parse_architecture(word))
    return tuple(sorted(found, key=int))


def newest(architectures: Sequence[str]) -> str:
    """Return the newest architecture, whose PTX lets the library run on GPUs that come later."""
    return max(architectures, key=int)


def require_supported(wanted: Sequence[str], supported: Sequence[str], compiler: str) -> None:
    """Check that a compiler knows the architectures.

    Raises:
        SegppError: it does not; the message says which CUDA does.
    """
    missing = [architecture for architecture in wanted if architecture not in supported]
    if not missing:
        return
    first = [_FIRST_CUDA[architecture] for architecture in missing if architecture in _FIRST_CUDA]
    needed = max(first, key=_version_key, default="")
    usable = sorted((name for name in supported if int(name) >= int(OLDEST)), key=int)
    raise SegppError(
        f"{compiler} cannot compile for {', '.join(f'sm_{name}' for name in missing)}.",
        f"one of: {', '.join(usable)}" + (f", or CUDA {needed} or newer." if needed else "."),
        "pip install -U 'segpp-deploy[plugins]', or leave these out of " + commands.option("arch") + ".",
    )


def native_architectures() -> tuple[str, ...]:
    """Return the architectures of this machine's GPUs.

    Raises:
        SegppError: no NVIDIA GPU is found, or one is too old.
    """
    found = _jetson() or _installed_gpus()
    if not found:
        raise SegppError(
            "No NVIDIA GPU was found here, so it is not known what to compile for.",
            "a GPU that nvidia-smi lists, a Jetson, or --arch.",
            commands.build_plugins("87") + f" (Jetson Orin; 89: RTX 40, {ALL}: every one)",
        )
    usable = tuple(sorted({name for name in found if int(name) >= int(OLDEST)}, key=int))
    if not usable:
        raise SegppError(
            f"This machine's GPU has compute capability {format_capability(found[0])}.",
            f"{format_capability(OLDEST)} or newer (Turing).",
            "Use another GPU, or a graph with the portable lowering: " + commands.build_engine(target="cuda"),
        )
    return usable


def driver_cuda_major() -> int | None:
    """Return the major version of the newest CUDA that this machine's driver runs; None without a driver."""
    match = re.search(r"CUDA Version\s*:\s*(\d+)\.\d+", ask_nvidia_smi())
    return int(match[1]) if match else None


def format_capability(architecture: str) -> str:
    """Write an architecture as a compute capability.

    Example:
        >>> format_capability("120")
        '12.0'
    """
    return f"{architecture[:-1]}.{architecture[-1]}"


def _parse_architecture(word: str) -> str:
    match = re.fullmatch(r"(?:sm_|compute_)?(\d{1,2})\.?(\d)", word.lower())
    if match is None or int(match[1] + match[2]) < int(OLDEST):
        raise SegppError(
            f"{word!r} is no architecture that the plugins can be compiled for.",
            f"a compute capability from {format_capability(OLDEST)} on, such as 87 or 8.7, or {ALL}.",
            commands.build_plugins("87") + " (Jetson Orin; 89: RTX 40, 90: H100, 110: Jetson Thor, 120: RTX 50)",
        )
    return match[1] + match[2]


def _jetson() -> list[str]:
    chips = {name.partition(",")[2] for name in compatible_names()}
    return [architecture for chip, architecture in _JETSON_CHIPS.items() if chip in chips]


def _installed_gpus() -> list[str]:
    table = ask_nvidia_smi("--query-gpu=compute_cap", "--format=csv,noheader")
    return [line.strip().replace(".", "") for line in table.splitlines() if re.fullmatch(r"\s*\d+\.\d\s*", line)]


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
