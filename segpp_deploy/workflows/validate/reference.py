"""The model that an engine is compared with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segpp_deploy import commands
from segpp_deploy.config import KeypointRelations
from segpp_deploy.errors import SegppError
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.workflows.validate.options import Against, ValidateOptions

if TYPE_CHECKING:
    from segpp_deploy.fleet.engines import FleetEngines


def open_reference(
    options: ValidateOptions,
    predictor: Predictor[Any],
    keypoints: KeypointRelations | None,
    copies: FleetEngines | None = None,
) -> Predictor[Any] | None:
    """Return the reference of a predictor's engine; None where there is to be none.

    Args:
        options: say which.
        predictor: of the engine that is judged.
        keypoints: what the data set says of them.
        copies: of the other engine, where its file is not here.

    Raises:
        SegppError: it cannot be loaded, or is of another task or number of classes.
    """
    metadata = predictor.metadata
    if options.against is Against.NONE:
        return None
    if options.against is Against.TORCH:
        from segpp_deploy.runtimes.torch.reference import load_model_for  # PyTorch is slow to load
        from segpp_deploy.runtimes.torch.session import TorchSession

        model = load_model_for(metadata, options.checkpoint, options.engine)
        sessions = [TorchSession(model, replace(metadata, size=size), options.device) for size in predictor.sizes]
        return Predictor(sessions[0], options.inference, keypoints, sessions[1:])
    if copies is not None:
        reference = copies.open()
    else:
        reference = Predictor.open(Path(options.against), options.inference, keypoints=keypoints)
    expected, got = len(metadata.classes), len(reference.metadata.classes)
    if got != expected or reference.metadata.task is not metadata.task:
        reference.close()
        raise SegppError(
            f"{options.engine} has {expected} classes, {options.against} has {got}.",
            "two engines of the same task.",
            "Choose another engine after " + commands.option("against") + ".",
        )
    return reference
