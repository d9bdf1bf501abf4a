"""Triton's own messages, to read what is written for it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from tests.support.requirements import require


def triton_messages() -> Any:
    """Return the module of the messages; a test that cannot have it skips, or fails where it is required.

    It is loaded by its file: the package that it is in would load gRPC, which no message needs.
    """
    path = Path(require("tritonclient").__path__[0]) / "grpc/model_config_pb2.py"
    spec = importlib.util.spec_from_file_location("model_config_pb2", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
