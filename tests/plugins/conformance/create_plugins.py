"""Run in its own process: load a plugin library into the installed TensorRT-RTX and create plugins.

Reads a JSON document {"library", "plugins": [{"op", "version", "namespace", "fields"}]} on stdin and writes one that
says which creators were found and which plugins created. NVIDIA's library may end the process, so it is no test itself.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import tensorrt_rtx as trt


def main() -> None:
    """Answer one document."""
    request = json.load(sys.stdin)
    logger = trt.Logger(trt.Logger.WARNING)
    builder = trt.Builder(logger)  # the first one makes its logger the library's
    registry = trt.get_plugin_registry()
    handle = registry.load_library(request["library"])
    created = [_create(registry, plugin) for plugin in request["plugins"]]
    print(json.dumps({"version": trt.__version__, "loaded": handle is not None, "created": created}))
    del builder


def _create(registry: Any, plugin: dict[str, Any]) -> dict[str, Any]:
    creator = registry.get_creator(plugin["op"], plugin["version"], plugin["namespace"])
    if creator is None:
        return {"creator": None, "plugin": False}
    fields = [
        trt.PluginField(name, np.array([value], np.int32), trt.PluginFieldType.INT32)
        for name, value in plugin["fields"].items()
    ]
    made = creator.create_plugin("layer", trt.PluginFieldCollection(fields), trt.TensorRTPhase.BUILD)
    identity = [creator.name, creator.plugin_version, creator.plugin_namespace]
    return {"creator": identity, "names": [field.name for field in creator.field_names], "plugin": made is not None}


if __name__ == "__main__":
    main()
