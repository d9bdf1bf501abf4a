"""The custom ops as PyTorch calls them on a GPU, with the host build in its place."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from segpp_deploy.errors import SegppError
from segpp_deploy.ops.declaration import FLOATS
from segpp_deploy.ops.registry import DECLARATIONS
from segpp_deploy.plugin_library.kernels import KernelLibrary
from segpp_deploy.runtimes.torch import cuda_ops
from segpp_deploy.runtimes.torch.cuda_ops import _Launcher
from segpp_deploy.workflows.selftest.cases import CASES, OpCase
from segpp_deploy.workflows.selftest.checks import compute_reference, judge
from tests.plugins.native import build_host

SMALL = [case for case in CASES if not case.is_large]


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> KernelLibrary:
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: SimpleNamespace(cuda_stream=0))
    return KernelLibrary(build_host("segpp_host"), "")


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("case", SMALL, ids=lambda case: f"{case.op.name}: {case}")
def test_ops_equal_the_reference(case: OpCase, dtype: str, library: KernelLibrary) -> None:
    inputs = case.make_inputs(dtype)
    tensors = map(torch.from_numpy, inputs.tensors)
    returned = _Launcher(library, case.op)(*tensors, *inputs.attributes.values())
    outputs = (returned,) if isinstance(returned, torch.Tensor) else returned
    verdict = judge(case, inputs, compute_reference(case, inputs), [output.numpy() for output in outputs])
    assert verdict.passed, verdict.finding


def test_tensors_need_not_be_contiguous(library: KernelLibrary) -> None:
    rows = torch.arange(12.0).reshape(1, 4, 3).transpose(1, 2)
    row_of_token = torch.tensor([[2, 0]], dtype=torch.int32)
    output = _Launcher(library, DECLARATIONS["TokenUnmerge"])(rows, row_of_token, None)
    assert isinstance(output, torch.Tensor)
    assert torch.equal(output, rows[:, [2, 0]])


def test_every_op_takes_the_kernels_on_a_gpu(library: KernelLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    registered: dict[str, str] = {}
    found = SimpleNamespace(path=build_host("segpp_host"), require_runs_on=lambda capability: None)
    monkeypatch.setattr(cuda_ops, "find_plugin_library", lambda kind: found)
    monkeypatch.setattr(cuda_ops, "require_gpu", lambda: SimpleNamespace(compute_capability="9.0"))
    monkeypatch.setattr(torch.library, "register_kernel", lambda op, device, call: registered.update({op: device}))
    for cached in (cuda_ops.kernel_ops, cuda_ops.use_cuda_kernels):
        cached.cache_clear()
    cuda_ops.use_cuda_kernels()
    for cached in (cuda_ops.kernel_ops, cuda_ops.use_cuda_kernels):
        cached.cache_clear()
    assert registered == {f"segpp::{op.stem}": "cuda" for op in DECLARATIONS.values()}


def test_types_that_no_kernel_takes_are_refused(library: KernelLibrary) -> None:
    rows, row_of_token = torch.zeros(1, 2, 8, dtype=torch.bfloat16), torch.zeros(1, 4, dtype=torch.int32)
    with pytest.raises(SegppError, match="TokenUnmerge was given tensors of bfloat16"):
        _Launcher(library, DECLARATIONS["TokenUnmerge"])(rows, row_of_token, None)
