"""Traces that a run of the tests keeps: tracing a network takes seconds, and many tests look at the same one."""

from __future__ import annotations

import functools
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx_ir as ir
import pytest
import torch
from filelock import FileLock

from segpp_deploy.graph.exporting.deployable import Deployable
from segpp_deploy.graph.exporting.tracing import trace


@dataclass(frozen=True)
class TraceStore:
    """Stands in for `trace`; every module is traced once, whoever of the workers asks for it.

    Args:
        folder: the workers' own.
        trace: makes a trace.
    """

    folder: Path
    trace: Callable[[Deployable, tuple[int, int], int | None], ir.Model] = trace

    def __call__(self, module: Deployable, size_hw: tuple[int, int], batch: int | None) -> ir.Model:
        """Return what `trace` returns, read from the store if it is there."""
        path = self.folder / f"{_fingerprint(module)}-{size_hw}-{batch}.onnx"
        with FileLock(path.with_suffix(".lock")):
            if not path.exists():
                traced = ir.to_proto(self.trace(module, size_hw, batch))
                path.write_bytes(traced.SerializeToString())  # tests break `onnx.save`
        return ir.from_proto(onnx.load(path))


def keep_operators(patch: pytest.MonkeyPatch) -> None:
    """PyTorch asks onnxscript for its operators at every export: 0.7 s for the same answer."""
    from torch.onnx._internal._lazy_import import onnxscript_apis  # type: ignore[attr-defined]

    patch.setattr(onnxscript_apis, "get_torchlib_ops", functools.cache(onnxscript_apis.get_torchlib_ops))


def _fingerprint(module: Deployable) -> str:
    """Return a hash of all that a module is: its code's names, its options, its weights."""
    content = io.BytesIO()
    torch.save(module, content)
    return hashlib.sha256(content.getbuffer()).hexdigest()
