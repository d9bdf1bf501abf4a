"""`segpp-deploy export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segpp_deploy import commands
from segpp_deploy.cli.console import Output
from segpp_deploy.cli.options import JsonFlag, QuietFlag, names
from segpp_deploy.config import (
    Arch,
    ChannelOrder,
    Fit,
    InputKind,
    LabelsLayout,
    Lowering,
    OutputForm,
    OutputKind,
    Preset,
    TaskName,
    parse_choice,
    parse_size,
)
from segpp_deploy.errors import SegppError


def export(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT.onnx", help="The file to write.")],
    model: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="Name of a model card, or a card file (*.yaml).")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="FILE|DIR", help="Weights: .pth, .pt, .safetensors, a Hugging Face folder."),
    ] = None,
    arch: Annotated[
        str | None, typer.Option(metavar=names(Arch), help="Backbone; found from the weights if absent.")
    ] = None,
    task: Annotated[str | None, typer.Option(metavar=names(TaskName), help="Found from the weights if absent.")] = None,
    num_classes: Annotated[
        int | None, typer.Option(metavar="K", min=1, help="Found from the weights if absent.")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(metavar="ema|plain|NAME", help="Which of a checkpoint's weights; the average if there is one."),
    ] = None,
    mean: Annotated[
        str | None,
        typer.Option(metavar="R,G,B", help="Mean of the training, of 0 to 255; read from the source if absent."),
    ] = None,
    std: Annotated[str | None, typer.Option(metavar="R,G,B", help="Deviation, likewise.")] = None,
    channel_order: Annotated[
        str | None, typer.Option(metavar=names(ChannelOrder), help="What the network was trained on, likewise.")
    ] = None,
    classes: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Class names: one a line, or JSON or YAML; likewise.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(metavar="P", help="Foreground where the sigmoid of a model's one output is above P; likewise."),
    ] = None,
    mode: Annotated[
        str, typer.Option(metavar=names(Preset) + "|PLAN.yaml", help="Which tokens are merged; see docs/merging.md.")
    ] = str(Preset.ORIGINAL),
    size: Annotated[str | None, typer.Option(metavar="HxW", help="Input size in pixels; the card's if absent.")] = None,
    batch: Annotated[str, typer.Option(metavar="N|dynamic", help="Images per call.")] = "1",
    input_kind: Annotated[
        str,
        typer.Option(
            "--input", metavar=names(InputKind), help="RGB bytes; floats that are normalised, or from 0 to 255."
        ),
    ] = "uint8",
    output_kind: Annotated[
        str | None, typer.Option("--output", metavar=names(OutputKind), help="labels if absent; heatmaps for pose.")
    ] = None,
    output_name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What the output is called; labels, logits ... if absent.")
    ] = None,
    output_layout: Annotated[
        str, typer.Option(metavar=names(LabelsLayout), help="Labels as [B, H, W], or as [B, H, W, 1].")
    ] = "nhw",
    confidence: Annotated[
        bool, typer.Option("--confidence", help="A second output: 255 times the probability of each label, in bytes.")
    ] = False,
    lowering: Annotated[
        str, typer.Option(metavar=names(Lowering), help="Standard ONNX ops, or plugin nodes for TensorRT.")
    ] = "portable",
    fit: Annotated[
        str, typer.Option(metavar=names(Fit), help="Pictures of another aspect: stretched, or padded at their own.")
    ] = "resize",
    random_weights: Annotated[
        int | None, typer.Option(metavar="SEED", help="No checkpoint: seeded random weights, to time a model.")
    ] = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Write a checkpoint as an ONNX file, in a merge mode and at a size.

    Example: segpp-deploy export --checkpoint weights.pth --mode fast --size 512x1024 -o fast.onnx
    """
    from segpp_deploy.workflows.export.options import ExportOptions, parse_source, parse_stated

    options = ExportOptions(
        output=out,
        mode=mode,
        size=parse_size(size) if size else None,
        batch=_parse_batch(batch),
        input_kind=parse_choice(InputKind, input_kind, "input kind"),
        output_kind=parse_choice(OutputKind, output_kind, "output kind") if output_kind else None,
        lowering=parse_choice(Lowering, lowering, "lowering"),
        fit=parse_choice(Fit, fit, "way to fit pictures"),
        output_form=OutputForm(output_name, parse_choice(LabelsLayout, output_layout, "layout of labels"), confidence),
        source=parse_source(
            model,
            checkpoint,
            random_weights,
            arch=parse_choice(Arch, arch, "architecture") if arch else None,
            task=parse_choice(TaskName, task, "task") if task else None,
            num_outputs=num_classes,
            weights=weights,
            stated=parse_stated(
                mean,
                std,
                parse_choice(ChannelOrder, channel_order, "channel order") if channel_order else None,
                classes,
                threshold,
            ),
        ),
    )
    output = Output(json, quiet)
    output.note(f"Exporting to {out}")
    from segpp_deploy.workflows.export.run import run_export

    output.show(run_export(options, output.note))


def _parse_batch(text: str) -> int | None:
    if text == "dynamic":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise SegppError(
            f"Batch {text!r} is neither a number nor 'dynamic'.", "1 or more, or dynamic.", commands.option("batch", 1)
        )
    return int(text)
