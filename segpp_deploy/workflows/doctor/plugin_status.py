"""Whether the TensorRT plugins are built for this machine, and whether they can be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from segpp_deploy.errors import SegppError
from segpp_deploy.plugin_library.library import PluginLibrary, find_plugin_library
from segpp_deploy.plugin_library.sources import LibraryKind
from segpp_deploy.plugin_library.toolchain import Toolchain, find_toolchain


@dataclass(frozen=True)
class PluginStatus:
    """The library that commands would load, and what it would be built with.

    Args:
        library: None where there is none to load.
        toolchain: None where something is missing.
        problems: what is in the way, for the library first.
    """

    library: PluginLibrary | None
    toolchain: Toolchain | None
    problems: tuple[SegppError, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the part of the JSON document of `doctor --json`."""
        return {
            "path": str(self.library.path) if self.library else None,
            "architectures": list(self.library.record.architectures) if self.library else [],
            "toolchain": self._describe_toolchain() if self.toolchain else None,
            "problems": [{"why_not": problem.what, "fix": problem.fix} for problem in self.problems],
        }

    def rows(self) -> tuple[tuple[str, str], ...]:
        """Return lines for the table of the machine."""
        library = f"{self.library.path} ({self.library.record.describe()})" if self.library else "none"
        return (("TensorRT plugins", library), ("their compilers", self._describe_toolchain()))

    def missing_rows(self) -> tuple[tuple[str, str, str], ...]:
        """Return lines for the table of what is missing."""
        return tuple(("TensorRT plugins", problem.what, problem.fix) for problem in self.problems)

    def _describe_toolchain(self) -> str:
        if self.toolchain is None:
            return "not complete"
        return f"{self.toolchain.cuda}; TensorRT headers {self.toolchain.tensorrt}"


def check_plugins(compute_capabilities: Iterable[str]) -> PluginStatus:
    """Look for the library and for what builds it; nothing is loaded or built.

    Args:
        compute_capabilities: of this machine's GPUs, such as "8.9".
    """
    problems = []
    library, toolchain = None, None
    try:
        library = find_plugin_library()
        for capability in compute_capabilities:
            library.require_runs_on(capability)
    except SegppError as error:
        problems.append(error)
    try:
        toolchain = find_toolchain(LibraryKind.CUDA)
    except SegppError as error:
        if library is None:
            problems.append(error)
    return PluginStatus(library, toolchain, tuple(problems))
