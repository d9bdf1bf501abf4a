"""The command that exports the weights of a source: what results suggest to type."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from segpp_deploy import commands
from segpp_deploy.errors import CommandText
from segpp_deploy.model.weights.source import CardSource, CheckpointSource, ModelSource, SeedSource


def export_command(source: ModelSource, path: Path, **options: object) -> CommandText:
    """Return the export of a source to `path`; further options are added, None is left out.

    Example:
        >>> print(export_command(CardSource("segformer_b0_scenes"), Path("fast.onnx"), mode="fast"))
        segpp-deploy export segformer_b0_scenes --mode fast -o fast.onnx
    """
    model = source.name if isinstance(source, CardSource) else None
    return commands.export(model, path, **_options(source), **options)


def _options(source: ModelSource) -> dict[str, object]:
    """Return the options by which `export` finds the same weights."""
    stated = source.stated
    options: dict[str, object] = {
        "mean": _comma(stated.mean),
        "std": _comma(stated.std),
        "channel_order": stated.channel_order,
        "threshold": stated.threshold,
    }
    if isinstance(source, SeedSource):
        random = {"arch": source.arch, "task": source.task, "num_classes": source.num_outputs}
        return {"random_weights": source.seed, **random, **options}
    checkpoint = source.path if isinstance(source, CheckpointSource) else source.checkpoint
    return {"checkpoint": checkpoint, "weights": source.weights, **options}


def _comma(values: Sequence[float] | None) -> str | None:
    return None if values is None else ",".join(f"{value:g}" for value in values)
