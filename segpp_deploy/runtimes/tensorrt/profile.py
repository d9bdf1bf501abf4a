"""Which of our nodes the layers of an engine come from, as TensorRT's inspector tells of engines built in detail."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from segpp_deploy.graph.network_parts import NetworkPart, RuntimeNode, parts_in_order

_SOURCE = re.compile(r"\[ONNX Layer: ([^\]]+)\]")


def find_parts(api: Any, engine: Any) -> Mapping[str, NetworkPart]:
    """Return the part of the network that each layer of an engine belongs to."""
    text = engine.create_engine_inspector().get_engine_information(api.LayerInformationFormat.JSON)
    layers = [layer for layer in json.loads(text)["Layers"] if isinstance(layer, dict)]  # else there are names only
    nodes = [RuntimeNode(_SOURCE.findall(layer.get("Metadata", ""))) for layer in layers]
    return dict(zip((layer["Name"] for layer in layers), parts_in_order(nodes), strict=True))
