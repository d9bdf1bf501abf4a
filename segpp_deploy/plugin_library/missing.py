"""Things that a build needs and that are not here: each says where it was looked for, all are told at once."""

from __future__ import annotations

from collections.abc import Sequence

from segpp_deploy import commands
from segpp_deploy.errors import SegppError

PLUGINS_EXTRA = "pip install 'segpp-deploy[plugins]'"


class MissingToolError(SegppError):
    """A compiler, a tool or headers are missing, or found and not usable.

    Args:
        tool: what it is, e.g. "the TensorRT headers".
        looked_in: where it was looked for, or why what was found is of no use.
        fix: the command that installs it.
    """

    def __init__(self, tool: str, looked_in: str, fix: str) -> None:
        super().__init__(f"To compile the plugins, one thing is missing: {tool}.", looked_in, fix)
        self.tool = tool


def join_missing(errors: Sequence[MissingToolError]) -> SegppError:
    """Return one error for all that is missing; the same fix is told once.

    Example:
        >>> errors = [MissingToolError("cmake", "on PATH.", "pip a"), MissingToolError("ninja", "on PATH.", "pip a")]
        >>> print(join_missing(errors))
        To compile the plugins, 2 things are missing: cmake; ninja.
          Expected: cmake: on PATH. ninja: on PATH.
          Fix: pip a
    """
    if len(errors) == 1:
        return errors[0]
    return SegppError(
        f"To compile the plugins, {len(errors)} things are missing: {'; '.join(error.tool for error in errors)}.",
        " ".join(f"{error.tool}: {error.expected}" for error in errors),
        commands.join_fixes(dict.fromkeys(error.fix for error in errors), "\n       "),
    )
