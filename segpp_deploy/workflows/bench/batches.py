"""Which batches an engine can be timed at: known from its manifest, before it is loaded."""

from __future__ import annotations

from pathlib import Path

from segpp_deploy import commands
from segpp_deploy.engine.manifest import Manifest
from segpp_deploy.errors import SegppError
from segpp_deploy.runtimes.builder_options import BuilderOption
from segpp_deploy.runtimes.registry import TARGETS


def require_batch(batch: int | None) -> None:
    """Check the batch that was asked for, if any.

    Raises:
        SegppError: fewer than one image.
    """
    if batch is not None and batch < 1:
        raise SegppError(f"A batch of {batch} images cannot be timed.", "1 or more.", commands.option("batch", 1))


def check_batch(engine: Path, manifest: Manifest, batch: int | None) -> None:
    """Make sure that an engine takes `batch` images per call; None is what it was exported for.

    Raises:
        SegppError: its batch is fixed at another number, or it was built for fewer images.
    """
    fixed = manifest.metadata.batch
    if batch is None or batch == fixed:
        return
    rebuild = manifest.rebuild_command(engine)
    if fixed is not None:
        raise SegppError(
            f"{engine} cannot be timed at a batch of {batch}: its batch is fixed at {fixed}.",
            "engines with a dynamic batch, or with this one.",
            "Export it again with " + commands.option("batch", "dynamic") + ", then " + rebuild,
        )
    has_limit = BuilderOption.MAX_BATCH in TARGETS[manifest.target].builder_options
    most = manifest.builder.batch_range[-1]
    if has_limit and batch > most:
        raise SegppError(
            f"{engine} cannot be timed at a batch of {batch}: it was built for at most {most}.",
            f"a batch of 1 to {most}.",
            "Build it again: " + rebuild + " " + commands.option(BuilderOption.MAX_BATCH, batch),  # the last one counts
        )
