"""What can be asked of `package`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from segpp_deploy import commands
from segpp_deploy.errors import SegppError
from segpp_deploy.packaging.stacks import Stack


@dataclass(frozen=True)
class PackageOptions:
    """What is packaged.

    Args:
        engines: the files.
        stack: that runs them.
        out: a new directory.
        name: of the model; None: made of the engines' file names.

    Raises:
        SegppError: no engine.
    """

    engines: tuple[Path, ...]
    stack: Stack
    out: Path
    name: str | None = None

    def __post_init__(self) -> None:
        if not self.engines:
            raise SegppError("No engine was named.", "one or more engines.", commands.package())
