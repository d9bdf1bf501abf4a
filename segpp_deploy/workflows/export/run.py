"""`export`: find the weights, set the plan, write the ONNX file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from segpp_deploy.config import OutputKind, Size, Task
from segpp_deploy.errors import SegppError
from segpp_deploy.files import require_writable
from segpp_deploy.graph.export import ExportRequest, ExportResult, export_graph
from segpp_deploy.model.cards import keep_quiet
from segpp_deploy.model.loading import load_source
from segpp_deploy.model.plan_file import load_plan
from segpp_deploy.workflows.export.options import ExportOptions

DEFAULT_SIZES = {Task.SEG: Size(512, 1024), Task.POSE: Size(384, 288)}


def run_export(options: ExportOptions, tell: Callable[[str], None] = keep_quiet) -> ExportResult:
    """Export the model that `options` describe; `tell` is given what to know about a download.

    Raises:
        SegppError: the source is wrong, the plan is unknown, or the file cannot be written; all of it
            before the long part begins, as far as it can be known then.
    """
    plan = load_plan(options.mode)
    require_writable(options.output)
    source = load_source(options.source, tell)
    source.model.plan = plan
    task = source.model.spec.task
    request = ExportRequest(
        size=options.size or source.size or DEFAULT_SIZES[task],
        batch=options.batch,
        input_kind=options.input_kind,
        output_kind=_output_kind(options.output_kind, task),
        lowering=options.lowering,
        classes=source.classes,
        normalization=source.normalization,
        checkpoint=source.name,
        checkpoint_sha256=source.sha256,
        seed=source.seed,
    )
    return export_graph(source.model, request, options.output)


def export_to_dict(result: ExportResult) -> dict[str, Any]:
    """Return the JSON fields of `export --json`."""
    described = result.metadata.to_dict()
    return {"path": str(result.path), "sha256": result.sha256, "notes": list(result.notes), **described}


def _output_kind(asked: OutputKind | None, task: Task) -> OutputKind:
    allowed = {
        Task.SEG: (OutputKind.LABELS, OutputKind.LOGITS),
        Task.POSE: (OutputKind.HEATMAPS,),
    }[task]
    if asked is None:
        return allowed[0]
    if asked not in allowed:
        raise SegppError(
            f"--output {asked} does not fit a {task} model.",
            f"one of: {', '.join(str(kind) for kind in allowed)}.",
            f"--output {allowed[0]}",
        )
    return asked
