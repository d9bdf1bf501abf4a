"""The float32 PyTorch model that an exported file came from: what every engine is validated against."""

from __future__ import annotations

from pathlib import Path

from segpp_deploy import commands
from segpp_deploy.errors import SegppError, quote
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.model.segformer import SegFormer, take_rgb
from segpp_deploy.model.weights.cards import CARD_SUFFIXES, list_cards, load_card, resolve_card_checkpoint
from segpp_deploy.model.weights.checkpoint import load_checkpoint
from segpp_deploy.model.weights.loading import load_source
from segpp_deploy.model.weights.source import SeedSource
from segpp_deploy.runtimes.torch.session import TorchSession


def open_reference(metadata: ExportMetadata, checkpoint: Path | None, near: Path) -> TorchSession:
    """Return the model of `load_model_for` behind the exported file's contract."""
    return TorchSession(load_model_for(metadata, checkpoint, near), metadata)


def load_model_for(metadata: ExportMetadata, checkpoint: Path | None, near: Path) -> SegFormer:
    """Return the unfolded float32 model of an exported file, with the same merge plan.

    Args:
        metadata: of the exported file or the engine.
        checkpoint: where the weights are now; None to look where the export found them.
        near: the exported file or engine, beside which the checkpoint is looked for too.

    Raises:
        SegppError: the checkpoint is not found, or is another one (by its hash).
    """
    if metadata.seed is not None:
        model = load_source(SeedSource(metadata.seed, metadata.arch, metadata.task, metadata.trained_outputs)).model
    else:
        loaded = load_checkpoint(
            checkpoint or _find_checkpoint(metadata, near),
            arch=metadata.arch,
            task=metadata.task,
            weights=metadata.training.weights,
        )
        if loaded.sha256 != metadata.checkpoint_sha256:
            raise SegppError(
                f"The weights found for {near} are not the ones it was exported from (SHA-256 "
                f"{loaded.sha256[:12]}.., exported {metadata.checkpoint_sha256[:12]}..).",
                f"the checkpoint {quote(metadata.checkpoint)} as it was at export.",
                "Export again from the new weights, or name the old ones with "
                + commands.option("checkpoint", "FILE")
                + ".",
            )
        model = loaded.model
        take_rgb(model, metadata.training.channel_order)
    model.plan = metadata.plan
    return model


def _find_checkpoint(metadata: ExportMetadata, near: Path) -> Path:
    named = Path(metadata.checkpoint)
    is_card_file = named.suffix in CARD_SUFFIXES
    for candidate in () if is_card_file else (named, near.parent / named.name):
        if candidate.exists():
            return candidate
    reason = ""
    if is_card_file or metadata.checkpoint in list_cards():
        try:
            return resolve_card_checkpoint(load_card(metadata.checkpoint))
        except SegppError as error:
            reason = f" {error.what}"
    raise SegppError(
        f"The checkpoint {quote(metadata.checkpoint)} that {near} was exported from is not here.{reason}",
        "the PyTorch weights, to compare the engine with.",
        "Say where they are with "
        + commands.option("checkpoint", "FILE")
        + ", or leave the comparison out with "
        + commands.option("against", "none")
        + ".",
    )
