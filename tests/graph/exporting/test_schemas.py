"""The custom ops' schemas come into onnx, and leave it before the process ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from onnx import defs

from segpp_deploy.graph.exporting import schemas
from segpp_deploy.graph.exporting.schemas import deregister_schemas, register_schemas
from segpp_deploy.ops.declaration import DOMAIN
from segpp_deploy.ops.registry import DECLARATIONS


def registered() -> set[str]:
    return {name for name in DECLARATIONS if defs.has(name, DOMAIN)}


def test_schemas_come_and_go(monkeypatch: pytest.MonkeyPatch) -> None:
    at_the_end: list[Callable[[], None]] = []
    monkeypatch.setattr(schemas.atexit, "register", at_the_end.append)
    deregister_schemas()
    assert registered() == set()
    register_schemas()
    register_schemas()
    assert registered() == set(DECLARATIONS)
    assert at_the_end == [deregister_schemas], "once, or onnx before 1.23 ends in a segmentation fault"
    at_the_end[0]()
    assert registered() == set()
    monkeypatch.undo()
    register_schemas()
