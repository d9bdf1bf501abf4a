"""What a user may ask of a builder that compiles for a GPU, and which target takes which of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from segpp_deploy import commands
from segpp_deploy.config import Choice
from segpp_deploy.errors import SegppError

DEFAULT_MAX_BATCH = 8
MAX_BATCH = 4096


class BuilderOption(Choice):
    """The options, by the names that `build-engine` gives them."""

    COMPUTE_CAPABILITY = "compute-capability"
    OPT_BATCH = "opt-batch"
    MAX_BATCH = "max-batch"
    WORKSPACE = "workspace-mib"
    TIMING_CACHE = "timing-cache"


@dataclass(frozen=True)
class BuilderOptions:
    """None and () leave the choice to the target.

    Args:
        compute_capabilities: of the GPUs the engine is for, e.g. ("8.9", "12.0").
        opt_batch: of graphs with a dynamic batch: the batch to be fastest at (1).
        max_batch: of graphs with a dynamic batch: the largest batch (8).
        workspace_mib: scratch memory a layer may use on the GPU, in MiB.
        timing_cache: file that keeps measured kernel times from build to build.

    Example:
        >>> BuilderOptions(max_batch=4, workspace_mib=512).to_options()
        {'max-batch': '4', 'workspace-mib': '512'}
    """

    compute_capabilities: tuple[str, ...] = ()
    opt_batch: int | None = None
    max_batch: int | None = None
    workspace_mib: int | None = None
    timing_cache: Path | None = None

    @property
    def given(self) -> dict[BuilderOption, str]:
        """The options that are set, as their text on the command line."""
        values = {
            BuilderOption.COMPUTE_CAPABILITY: ",".join(self.compute_capabilities) or None,
            BuilderOption.OPT_BATCH: self.opt_batch,
            BuilderOption.MAX_BATCH: self.max_batch,
            BuilderOption.WORKSPACE: self.workspace_mib,
            BuilderOption.TIMING_CACHE: self.timing_cache,
        }
        return {option: str(value) for option, value in values.items() if value is not None}

    @property
    def batch_range(self) -> tuple[int, int, int]:
        """Smallest, best and largest batch of an engine with a dynamic batch."""
        return 1, self.opt_batch or 1, self.max_batch or max(DEFAULT_MAX_BATCH, self.opt_batch or 1)

    def to_options(self) -> dict[str, str]:
        """Return the settings as options of `build-engine`, by name."""
        return {str(option): value for option, value in self.given.items()}


def parse_compute_capabilities(words: list[str]) -> tuple[str, ...]:
    """Parse what follows --compute-capability; each word may hold several, separated by commas.

    Raises:
        SegppError: not of the form 8.9.

    Example:
        >>> parse_compute_capabilities(["12.0", "8.6,8.9"])
        ('8.6', '8.9', '12.0')
    """
    found = {part.strip() for word in words for part in word.split(",")}
    for part in found:
        if not re.fullmatch(r"\d{1,2}\.\d", part):
            raise SegppError(
                f"{part!r} is not a compute capability.",
                "two numbers such as 8.9.",
                commands.option(BuilderOption.COMPUTE_CAPABILITY, 8.9),
            )
    return tuple(sorted(found, key=lambda part: tuple(map(int, part.split(".")))))


def check_builder_options(
    settings: BuilderOptions, taken: tuple[BuilderOption, ...], target: str, batch: int | None
) -> None:
    """Check settings for a target that takes the options `taken`, and a graph whose batch is `batch` (None = dynamic).

    Raises:
        SegppError: the target does not take an option, or a value makes no sense.
    """
    refused = [option for option in settings.given if option not in taken]
    if refused:
        raise SegppError(
            f"{commands.option(refused[0])} means nothing to the target {target}.",
            f"one of its own options: {', '.join(map(commands.option, taken)) or 'it has none'}.",
            "Leave " + commands.option(refused[0]) + " out.",
        )
    _require_range(BuilderOption.WORKSPACE, settings.workspace_mib, 1, 1 << 20)
    _require_range(BuilderOption.MAX_BATCH, settings.max_batch, 1, MAX_BATCH)
    _require_range(BuilderOption.OPT_BATCH, settings.opt_batch, 1, settings.max_batch or MAX_BATCH)
    sized = [option for option in (BuilderOption.MAX_BATCH, BuilderOption.OPT_BATCH) if option in settings.given]
    if sized and batch is not None:
        raise SegppError(
            f"The batch of this graph is fixed at {batch}, so {commands.option(sized[0])} has nothing to choose.",
            "a graph with a dynamic batch.",
            commands.export(batch="dynamic") + ", then " + commands.build_engine(),
        )


def _require_range(option: BuilderOption, value: int | None, least: int, most: int) -> None:
    if value is not None and not least <= value <= most:
        what = f"{commands.option(option, value)} is out of range."
        raise SegppError(what, f"{least} to {most}.", commands.option(option, least))
