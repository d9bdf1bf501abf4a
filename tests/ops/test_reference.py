"""The PyTorch ops against token-by-token code."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings

from segpp_deploy.ops.registry import DECLARATIONS
from segpp_deploy.ops.token_match import token_match
from segpp_deploy.ops.token_merge import token_merge
from segpp_deploy.ops.token_merge_with_size import token_merge_with_size
from segpp_deploy.ops.token_unmerge import token_unmerge
from segpp_deploy.ops.upsample_argmax import upsample_argmax
from tests.ops import brute_force
from tests.ops.cases import MatchCase, match_cases


def run_match(case: MatchCase, tokens: torch.Tensor) -> torch.Tensor:
    return token_match(tokens, *case.grid, *case.stride, case.num_removed)


@settings(max_examples=60, deadline=None)
@given(match_cases())
def test_match_equals_brute_force(case: MatchCase) -> None:
    tokens = case.tokens()
    rows = run_match(case, tokens)
    assert rows.dtype == torch.int32
    for image, found in zip(tokens.double().numpy(), rows.tolist(), strict=True):
        assert found == brute_force.match(image, case.grid, case.stride, case.num_removed)


@settings(max_examples=40, deadline=None)
@given(match_cases())
def test_every_row_is_hit(case: MatchCase) -> None:
    for image in run_match(case, case.tokens()):
        assert sorted(set(image.tolist())) == list(range(case.num_rows))


@settings(max_examples=40, deadline=None)
@given(match_cases())
def test_merge_and_unmerge_equal_brute_force(case: MatchCase) -> None:
    tokens = case.tokens()
    rows = run_match(case, tokens)
    merged = token_merge(tokens, rows, case.num_rows)
    restored = token_unmerge(merged, rows)
    for b in range(case.batch):
        expected = torch.from_numpy(brute_force.merge(tokens[b].double().numpy(), rows[b].tolist(), case.num_rows))
        torch.testing.assert_close(merged[b].double(), expected, atol=1e-6, rtol=1e-6)
        assert torch.equal(restored[b], merged[b][rows[b].long()])


def test_zero_tokens_are_similar_to_nothing() -> None:
    tokens = torch.zeros(1, 4, 2)
    tokens[0, 1, 0] = 1.0
    rows = token_match(tokens, 2, 2, 2, 2, 1)
    assert rows.tolist() == [[0, 0, 1, 2]]  # all similarities are 0: the lowest source merges


def test_scale_does_not_change_the_match() -> None:
    tokens = torch.randn(1, 64, 8, generator=torch.Generator().manual_seed(3))
    scaled = tokens * torch.rand(1, 64, 1, generator=torch.Generator().manual_seed(4)).add(0.5)
    assert torch.equal(token_match(tokens, 8, 8, 2, 2, 20), token_match(scaled, 8, 8, 2, 2, 20))


def test_float16_merges_accumulate_in_float32() -> None:
    tokens = torch.full((1, 4096, 1), 1.0, dtype=torch.float16)
    rows = torch.zeros(1, 4096, dtype=torch.int32)
    merged = token_merge(tokens, rows, 1)
    assert merged.dtype == torch.float16
    assert merged.item() == 1.0  # float16 sums stop at 2048


@settings(max_examples=20, deadline=None)
@given(match_cases())
def test_sizes_are_how_many_tokens_a_row_has(case: MatchCase) -> None:
    tokens = case.tokens().half()
    rows = run_match(case, tokens)
    merged, log_size = token_merge_with_size(tokens, rows, case.num_rows)
    assert torch.equal(merged, token_merge(tokens, rows, case.num_rows))
    assert log_size.dtype == torch.float32
    assert log_size.exp().round().tolist() == [[row.count(m) for m in range(case.num_rows)] for row in rows.tolist()]


def test_a_row_without_tokens_weighs_nothing() -> None:
    _, log_size = token_merge_with_size(torch.ones(1, 2, 1), torch.zeros(1, 2, dtype=torch.int32), 2)
    assert log_size.exp().tolist() == [[2.0, 0.0]]


def test_unmerge_adds_the_residual() -> None:
    rows = torch.tensor([[1, 0, 1]], dtype=torch.int32)
    values, residual = torch.tensor([[[1.0], [2.0]]]), torch.tensor([[[10.0], [20.0], [30.0]]])
    assert token_unmerge(values, rows, residual).flatten().tolist() == [12.0, 21.0, 32.0]


@pytest.mark.parametrize("size", [(4, 6), (5, 9), (13, 7)])
def test_upsample_argmax_equals_brute_force(size: tuple[int, int]) -> None:
    logits = torch.randn(2, 5, 3, 4, generator=torch.Generator().manual_seed(0))
    labels = upsample_argmax(logits, *size)
    for image, found in zip(logits.double().numpy(), labels.numpy(), strict=True):
        assert (found == brute_force.upsample_argmax(image, *size)).all()


def test_upsample_argmax_ties_go_to_the_lowest_class() -> None:
    assert upsample_argmax(torch.ones(1, 4, 2, 2), 4, 4).unique().tolist() == [0]


def test_order_of_resize_and_argmax_matters() -> None:
    logits = torch.tensor([[[[1.0, 0.0]], [[0.0, 0.0]], [[0.9, 0.9]]]])  # class 2 is never far behind
    labels = upsample_argmax(logits, 1, 8)
    nearest = logits.argmax(dim=1).repeat_interleave(4, dim=2)
    assert (labels.long() != nearest).any()


@pytest.mark.parametrize("name", DECLARATIONS)
def test_pytorch_schema_follows_the_declaration(name: str) -> None:
    declaration = DECLARATIONS[name]
    schema = getattr(torch.ops.segpp, declaration.stem).default._schema
    inputs = [tensor.name for tensor in declaration.inputs]
    assert [argument.name for argument in schema.arguments] == [*inputs, *declaration.attributes]
    assert len(schema.returns) == len(declaration.outputs)


def test_fake_kernels_agree_with_the_real_ones() -> None:
    tokens = torch.randn(2, 64, 8)
    rows = token_match(tokens, 8, 8, 2, 2, 20)
    merged = token_merge(tokens, rows, 44)
    for op, arguments in (
        (torch.ops.segpp.token_match, (tokens, 8, 8, 2, 2, 20)),
        (torch.ops.segpp.token_merge, (tokens, rows, 44)),
        (torch.ops.segpp.token_merge_with_size, (tokens.half(), rows, 44)),
        (torch.ops.segpp.token_match_merge, (tokens.half(), 8, 8, 2, 2, 44)),
        (torch.ops.segpp.token_unmerge, (merged, rows, tokens)),
        (torch.ops.segpp.upsample_argmax, (torch.randn(2, 5, 4, 4), 16, 16)),
    ):
        torch.library.opcheck(op, arguments, test_utils=("test_schema", "test_faketensor"))
