"""Gradients of merging, beside those that PyTorch finds through the reference, and by the kernels' host build."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch

from segpp_deploy.config import Arch, Preset
from segpp_deploy.model import merging
from segpp_deploy.model.plan import PRESETS
from segpp_deploy.model.segformer import ModelSpec, build_segformer
from segpp_deploy.ops.registry import DECLARATIONS
from segpp_deploy.ops.token_match import token_match
from segpp_deploy.ops.token_merge import token_merge
from segpp_deploy.ops.token_merge_with_size import token_merge_with_size
from segpp_deploy.ops.token_unmerge import token_unmerge
from segpp_deploy.plugin_library.kernels import KernelLibrary
from segpp_deploy.runtimes.torch.cuda_ops import _Launcher
from tests.plugins.native import build_host

OPS = {"TokenMerge": token_merge, "TokenMergeWithSize": token_merge_with_size, "TokenUnmerge": token_unmerge}
REMOVED, ROWS = 30, 34
Merging = Callable[..., torch.Tensor]


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


TOKENS = random(2, 64, 16)
MAP = token_match(TOKENS, 8, 8, 2, 2, REMOVED)


@pytest.fixture(params=["reference", "kernels"])
def ops(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What computes the ops: their own code, or the kernels that a GPU would run."""
    if request.param == "kernels":
        monkeypatch.setattr(torch.cuda, "current_stream", lambda device: SimpleNamespace(cuda_stream=0))
        library = KernelLibrary(build_host("segpp_host"), "")
        for name, op in OPS.items():
            monkeypatch.setitem(op._backend_fns, None, _Launcher(library, DECLARATIONS[name]))


def merge(tokens: torch.Tensor, plain: bool) -> torch.Tensor:
    return (token_merge._init_fn if plain else token_merge)(tokens, MAP, ROWS)


def merge_with_size(tokens: torch.Tensor, plain: bool) -> torch.Tensor:
    merged, log_size = (token_merge_with_size._init_fn if plain else token_merge_with_size)(tokens, MAP, ROWS)
    return merged * log_size[..., None].exp()


def unmerge(tokens: torch.Tensor, plain: bool) -> torch.Tensor:
    return (token_unmerge._init_fn if plain else token_unmerge)(tokens[:, :ROWS], MAP)


def unmerge_onto(tokens: torch.Tensor, plain: bool) -> torch.Tensor:
    return (token_unmerge._init_fn if plain else token_unmerge)(tokens[:, :ROWS].sin(), MAP, tokens)


@pytest.mark.usefixtures("ops")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("function", [merge, merge_with_size, unmerge, unmerge_onto])
def test_gradients_are_those_of_the_reference(function: Merging, dtype: torch.dtype) -> None:
    found = []
    for plain in (False, True):
        tokens = TOKENS.clone().to(dtype).requires_grad_()
        output = function(tokens, plain)
        (output.float() * random(*output.shape, seed=1)).sum().backward()
        assert tokens.grad is not None
        found.append(tokens.grad)
    tolerance = 1e-5 if dtype is torch.float32 else 5e-3
    torch.testing.assert_close(*found, rtol=tolerance, atol=tolerance)


def test_rows_that_no_token_took_have_no_gradient() -> None:
    rows = random(1, 3, 4).requires_grad_()
    token_unmerge(rows, torch.tensor([[0, 2, 0]], dtype=torch.int32)).sum().backward()
    assert rows.grad is not None
    assert rows.grad[0, :, 0].tolist() == [2, 0, 1]


@pytest.mark.parametrize("preset", [Preset.HQ, Preset.FAST_PLUS])
def test_a_model_learns_through_merging(preset: Preset, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = build_segformer(ModelSpec(Arch.B0, 3), PRESETS[preset])
    picture = random(1, 3, 64, 64)

    def gradients() -> list[torch.Tensor]:
        model.zero_grad()
        model(picture).square().mean().backward()
        return [weight.grad.clone() for weight in model.encoder.parameters() if weight.grad is not None]

    found = gradients()
    for name, op in OPS.items():
        monkeypatch.setattr(merging, DECLARATIONS[name].stem, op._init_fn)
    expected = gradients()
    assert len(found) == len(expected) > 100
    for mine, other in zip(found, expected, strict=True):
        assert (
            mine - other
        ).abs().max() <= 1e-4 * other.abs().max() + 1e-6  # a key's bias has none: softmax is blind to it


def test_mixed_precision_matches_and_merges_in_float32() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        rows = token_match(TOKENS.bfloat16(), 8, 8, 2, 2, REMOVED)
        merged = token_merge(TOKENS.bfloat16(), rows, ROWS)
    assert torch.equal(rows, token_match(TOKENS.bfloat16().float(), 8, 8, 2, 2, REMOVED))
    assert merged.dtype is torch.float32
