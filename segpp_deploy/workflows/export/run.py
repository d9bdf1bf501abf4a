"""`export`: find the weights, set the plan, write the ONNX file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from segpp_deploy.config import OutputKind
from segpp_deploy.files import require_writable
from segpp_deploy.graph.exporting.export import GraphOptions, export_graph
from segpp_deploy.model.plan_file import load_plan
from segpp_deploy.model.training_facts import TrainingFacts
from segpp_deploy.model.weights.cards import keep_quiet
from segpp_deploy.model.weights.loading import load_source
from segpp_deploy.tasks.protocol.task import AnyTask
from segpp_deploy.tasks.registry import TASKS
from segpp_deploy.workflows.export.measured_gains import explain_small_size
from segpp_deploy.workflows.export.options import ExportOptions
from segpp_deploy.workflows.export.request import request_graph
from segpp_deploy.workflows.export.result import ExportResult


def run_export(options: ExportOptions, tell: Callable[[str], None] = keep_quiet) -> ExportResult:
    """Export the model that `options` describe; `tell` is given what to know about a download.

    Raises:
        SegppError: the source is wrong, the plan is unknown, or the file cannot be written; all of it
            before the long part begins, as far as it can be known then.
    """
    plan = load_plan(options.mode) if isinstance(options.mode, str) else options.mode
    require_writable(options.output)
    source = load_source(options.source, tell)
    source.model.plan = plan
    task = source.model.spec.task
    size = options.size or source.size
    training = source.training if size or source.seed is not None else _with_size(source.training, TASKS[task])
    request = replace(
        request_graph(source, size or TASKS[task].default_size, options.output_kind),
        batch=options.batch,
        input_kind=options.input_kind,
        lowering=options.lowering,
        training=training,
        fit=options.fit,
        output_form=options.output_form,
    )
    exported = export_graph(source.model, request, options.output)
    facts = exported.metadata
    said = [
        *source.notes,
        training.assumption,
        _explain_output(options, request),
        *exported.notes,
        explain_small_size(facts.arch, facts.mode, facts.size),
    ]
    return ExportResult(**{**vars(exported), "notes": tuple(filter(None, said))})


def _with_size(training: TrainingFacts, task: AnyTask) -> TrainingFacts:
    return replace(training, assumed=(*training.assumed, f"size {task.default_size}"))


def _explain_output(options: ExportOptions, request: GraphOptions) -> str:
    if options.output_kind is not None or request.output_kind is not OutputKind.LOGITS:
        return ""
    return (
        f"The file puts out {OutputKind.LOGITS}: {len(request.classes)} classes don't fit into labels of one byte. "
        "`predict` and `validate` make 16-bit labels of them."
    )
