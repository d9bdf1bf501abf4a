"""The command that exports what an engine or a graph came from once more, otherwise."""

from __future__ import annotations

from pathlib import Path

from segpp_deploy import commands
from segpp_deploy.config import Fit, InputKind, LabelsLayout, Lowering, OutputKind
from segpp_deploy.errors import CommandText
from segpp_deploy.graph.metadata import ExportMetadata


def export_again(metadata: ExportMetadata, path: Path, **changes: object) -> CommandText:
    """Return the export to `path` of the same weights with the same options, but for `changes`.

    Args:
        metadata: of what was exported.
        path: of the new file.
        changes: options of `export`; None leaves one out.
    """
    card, options = None, dict[str, object]()
    weights = Path(metadata.checkpoint)
    if metadata.seed is not None:
        options = {"random_weights": metadata.seed, "arch": metadata.arch, "task": metadata.task}
        options["num_classes"] = metadata.trained_outputs
    elif weights.suffix in ("", ".yaml", ".yml") and not weights.is_dir():
        card = metadata.checkpoint
    else:
        options = {"checkpoint": metadata.checkpoint}
    options |= {"mode": metadata.mode, "size": metadata.size, "threshold": metadata.threshold}
    return commands.export(card, path, **{**options, **_unusual(metadata), **changes})


def _unusual(metadata: ExportMetadata) -> dict[str, object]:
    """Return the options that say what the graph takes and gives, where that is not the usual."""
    kind, form = metadata.output_kind, metadata.output_form
    return {
        "batch": None if metadata.batch == 1 else metadata.batch or "dynamic",
        "input": None if metadata.input_kind is InputKind.UINT8 else metadata.input_kind,
        "output": None if kind in (OutputKind.LABELS, OutputKind.HEATMAPS) else kind,
        "output_name": form.name,
        "output_layout": None if form.layout is LabelsLayout.NHW else form.layout,
        "confidence": form.confidence,
        "fit": None if metadata.fit is Fit.RESIZE else metadata.fit,
        "lowering": None if metadata.lowering is Lowering.PORTABLE else metadata.lowering,
    }
