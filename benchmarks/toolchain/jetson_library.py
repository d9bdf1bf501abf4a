"""What can be read from a plugin library for Jetsons without one of these."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.toolchain.tool import run_tool

MACHINE = "AArch64"
ENTRY_POINTS = ("getCreators", "setLoggerFinder")
OF_THE_SYSTEM = ("ld-linux-aarch64", "libc", "libdl", "libgcc_s", "libm", "libpthread", "librt", "libstdc++")
UBUNTU_22_04 = {"CXXABI": (1, 3, 13), "GLIBC": (2, 35), "GLIBCXX": (3, 4, 30)}
"""The newest versions of symbols that JetPack 6 has; JetPack 7 is newer."""


@dataclass(frozen=True)
class LibraryFacts:
    """What the tools for object files say of a library.

    Args:
        machine: the processor, by the name that readelf has for it.
        needed: libraries that are loaded with it, without version.
        symbol_versions: by kind, the newest version of a symbol that it asks of those.
        exports: what it defines for others.
        machine_code: GPUs that it holds machine code for, such as "87".
        ptx: GPUs whose PTX it holds.
    """

    machine: str
    needed: tuple[str, ...]
    symbol_versions: dict[str, tuple[int, ...]]
    exports: tuple[str, ...]
    machine_code: tuple[str, ...]
    ptx: tuple[str, ...]


def read_facts(library: Path, cuobjdump: Path) -> LibraryFacts:
    """Read a library with readelf and cuobjdump."""
    machine = re.search(r"^\s*Machine:\s+(\S+)$", run_tool(["readelf", "-h", library]), re.MULTILINE)
    needed = re.findall(r"\(NEEDED\).*\[(.+)\]", run_tool(["readelf", "-d", "-W", library]))
    versions: dict[str, tuple[int, ...]] = {}
    for kind, text in re.findall(r"Name: (GLIBC|GLIBCXX|CXXABI)_([\d.]+)", run_tool(["readelf", "-V", "-W", library])):
        versions[kind] = max(versions.get(kind, ()), tuple(map(int, text.split("."))))
    symbols = [line.split() for line in run_tool(["readelf", "--dyn-syms", "-W", library]).splitlines()]
    exports = {row[7] for row in symbols if len(row) > 7 and row[4] in ("GLOBAL", "WEAK") and row[6].isdecimal()}
    return LibraryFacts(
        machine=machine[1] if machine else "unknown",
        needed=_unique(name.partition(".so")[0] for name in needed),
        symbol_versions=dict(sorted(versions.items())),
        exports=_unique(exports),
        machine_code=_unique(re.findall(r"\.sm_(\d+)\.cubin", run_tool([cuobjdump, "--list-elf", library]))),
        ptx=_unique(re.findall(r"\.sm_(\d+)\.ptx", run_tool([cuobjdump, "--list-ptx", library]))),
    )


def find_faults(facts: LibraryFacts) -> list[str]:
    """Say what keeps a library from being loaded on JetPack 6, as far as these facts tell."""
    faults = [] if facts.machine == MACHINE else [f"it is for {facts.machine}"]
    faults += [f"it needs {name}" for name in facts.needed if name not in OF_THE_SYSTEM]
    faults += [
        f"it needs {kind} {'.'.join(map(str, version))}"
        for kind, version in facts.symbol_versions.items()
        if version > UBUNTU_22_04[kind]
    ]
    return faults + ([] if facts.exports == ENTRY_POINTS else [f"it exports {', '.join(facts.exports) or 'nothing'}"])


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))
