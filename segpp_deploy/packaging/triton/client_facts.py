"""What `client.py` reads of a model: how a picture becomes its input, and what its outputs are."""

from __future__ import annotations

from typing import Any

from segpp_deploy.config import Fit
from segpp_deploy.graph.contract import TensorSpec
from segpp_deploy.packaging.triton.served_model import ServedModel


def facts_of(model: ServedModel) -> dict[str, Any]:
    """Return plain JSON values."""
    manifest, metadata = model.manifest, model.manifest.metadata
    return {
        "input": _tensor(manifest.input),
        "outputs": [_tensor(spec) for spec in manifest.outputs],
        "output_kind": "labels" if metadata.output_kind.is_labels else str(metadata.output_kind),
        "size": list(metadata.size.hw),
        "is_planar": metadata.input_kind.is_planar,
        "is_normalized": metadata.input_kind.is_normalized,
        "is_padded": metadata.fit is Fit.PAD,
        "mean": list(metadata.normalization.mean),
        "std": list(metadata.normalization.std),
        "classes": list(metadata.classes.names),
    }


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "dtype": spec.dtype, "shape": list(spec.shape)}
