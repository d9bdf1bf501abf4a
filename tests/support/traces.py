"""Traces that a run of the tests keeps: tracing a network takes seconds, and many tests look at the same one."""

from __future__ import annotations

import functools
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import onnx_ir as ir
import pytest
import torch
from filelock import FileLock
from torch import nn

from segpp_deploy.graph.exporting import export, parts, plain
from segpp_deploy.graph.exporting.plain import trace_plain
from segpp_deploy.graph.exporting.tracing import trace, trace_module


@dataclass(frozen=True)
class TraceStore:
    """Stands in for what traces; every module is traced once, whoever of the workers asks for it.

    Args:
        folder: the workers' own.
        trace: makes a trace of a module, and of what else it is told.
    """

    folder: Path
    trace: Callable[..., ir.Model] = trace

    def __call__(self, module: nn.Module, *how: Any) -> ir.Model:
        """Return what `trace` returns, read from the store if it is there."""
        path = self.folder / f"{_fingerprint(module, how)}.onnx"
        with FileLock(path.with_suffix(".lock")):
            if not path.exists():
                traced = ir.to_proto(self.trace(module, *how))
                path.write_bytes(traced.SerializeToString())  # tests break `onnx.save`
        return ir.from_proto(onnx.load(path))


def keep_traces(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let all that export trace what no worker has traced yet."""
    for exporter, tracer in ((export, trace), (parts, trace_module), (plain, trace_plain)):
        patch.setattr(exporter, tracer.__name__, TraceStore(folder, tracer))


def keep_operators(patch: pytest.MonkeyPatch) -> None:
    """At every export PyTorch asks onnxscript for its operators and looks through the annotations of each.

    The answer is always the same, and takes a second or two.
    """
    from torch.onnx._internal._lazy_import import onnxscript_apis  # type: ignore[attr-defined]
    from torch.onnx._internal.exporter import _schemas

    for module, name in ((onnxscript_apis, "get_torchlib_ops"), (_schemas, "op_signature_from_function")):
        if hasattr(module, name):  # versions of PyTorch differ
            patch.setattr(module, name, functools.cache(getattr(module, name)))


def _fingerprint(module: nn.Module, how: tuple[Any, ...]) -> str:
    """Return a hash of all that a trace depends on: the module's code by name, its options, its weights, its input."""
    content = io.BytesIO()
    torch.save((module, how), content)
    return hashlib.sha256(content.getbuffer()).hexdigest()
