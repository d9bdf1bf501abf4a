"""segpp-deploy: from a SegFormer++ checkpoint to a fast, verified inference engine.

The names below are loaded when they are used, so that importing the package costs nothing; docs/python.md shows them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segpp_deploy.api import bench, build, calibrate, compare, evaluate, export, load, package, tune
    from segpp_deploy.config import (
        CalibrationMethod,
        ChannelOrder,
        Inference,
        InputKind,
        Int8Layers,
        Lowering,
        OutputKind,
        Precision,
        Preset,
        Size,
    )
    from segpp_deploy.data.datasets import Dataset, Sample
    from segpp_deploy.engine.open import Engine
    from segpp_deploy.errors import CheckFailedError, SegppError
    from segpp_deploy.evaluation.predictor import Predictor
    from segpp_deploy.model.weights.training_record import TrainingRecord
    from segpp_deploy.runtimes.names import TargetName

__version__ = "0.1.0"

_HOME_OF = {
    **dict.fromkeys(("bench", "build", "calibrate", "compare", "evaluate", "export", "load", "package", "tune"), "api"),
    **dict.fromkeys(
        ("CalibrationMethod", "ChannelOrder", "Inference", "InputKind", "Int8Layers", "Lowering"), "config"
    ),
    **dict.fromkeys(("OutputKind", "Precision", "Preset", "Size"), "config"),
    **dict.fromkeys(("Dataset", "Sample"), "data.datasets"),
    "Engine": "engine.open",
    **dict.fromkeys(("CheckFailedError", "SegppError"), "errors"),
    "Predictor": "evaluation.predictor",
    "TargetName": "runtimes.names",
    "TrainingRecord": "model.weights.training_record",
}

__all__ = [
    "CalibrationMethod",
    "ChannelOrder",
    "CheckFailedError",
    "Dataset",
    "Engine",
    "Inference",
    "InputKind",
    "Int8Layers",
    "Lowering",
    "OutputKind",
    "Precision",
    "Predictor",
    "Preset",
    "Sample",
    "SegppError",
    "Size",
    "TargetName",
    "TrainingRecord",
    "__version__",
    "bench",
    "build",
    "calibrate",
    "compare",
    "evaluate",
    "export",
    "load",
    "package",
    "tune",
]


def __getattr__(name: str) -> Any:
    """Load a public name's module when the name is first used."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return sorted({*globals(), *_HOME_OF})
