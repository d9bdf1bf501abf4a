"""What a loaded model is exported as."""

from __future__ import annotations

from segpp_deploy.config import InputKind, Lowering, OutputKind, Size
from segpp_deploy.graph.exporting.export import GraphOptions
from segpp_deploy.model.weights.loading import SourceModel
from segpp_deploy.tasks.registry import choose_output


def request_graph(source: SourceModel, size: Size, output_kind: OutputKind | None = None) -> GraphOptions:
    """Return the request for a portable graph that takes one picture of bytes.

    Args:
        source: the model, with all that is known of its training.
        size: input size in pixels.
        output_kind: None for what the task and the number of classes suggest.
    """
    return GraphOptions(
        size=size,
        batch=1,
        input_kind=InputKind.UINT8,
        output_kind=choose_output(output_kind, source.model.spec.task, len(source.classes)),
        lowering=Lowering.PORTABLE,
        classes=source.classes,
        normalization=source.normalization,
        checkpoint=source.name,
        checkpoint_sha256=source.sha256,
        seed=source.seed,
        training=source.training,
        threshold=source.threshold,
    )
