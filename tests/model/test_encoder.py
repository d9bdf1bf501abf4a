"""Attention in blocks of queries: as in one product, below the size at which TensorRT-RTX gives up."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch

from benchmarks.toolchain.rtx_builder import build_with_rtx
from segpp_deploy.model import encoder
from segpp_deploy.model.encoder import EfficientAttention
from tests.support.requirements import needs

HEADS = 2


@pytest.fixture
def attention() -> EfficientAttention:
    torch.manual_seed(0)
    return EfficientAttention(8, HEADS, reduction=1, eps=1e-6).eval()


@pytest.mark.parametrize(("num_blocks", "rows"), [(1, [17]), (2, [8, 8, 1]), (5, [3] * 5 + [2]), (40, [1] * 17)])
def test_blocks_give_what_one_product_gives(
    num_blocks: int, rows: list[int], attention: EfficientAttention, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries, keys_values, log_size = torch.randn(3, 17, 8), torch.randn(3, 6, 8), torch.rand(3, 6)
    whole = attention.attend(queries, keys_values, log_size)
    monkeypatch.setattr(encoder, "LEAST_BLOCKS", 1)
    monkeypatch.setattr(encoder, "MOST_SCORES", -(-3 * HEADS * 17 * 6 // num_blocks))
    blocks = encoder._in_blocks(torch.empty(3, HEADS, 17, 8), 6)
    assert [block.shape[2] for block in blocks] == rows
    torch.testing.assert_close(attention.attend(queries, keys_values, log_size), whole)


def test_a_key_of_two_tokens_weighs_as_two_keys(attention: EfficientAttention) -> None:
    queries, keys_values = torch.randn(2, 5, 8), torch.randn(2, 3, 8)
    twice = torch.cat([keys_values, keys_values[:, 1:2]], dim=1)
    weighted = attention.attend(queries, keys_values, torch.tensor([[1.0, 2.0, 1.0]]).log())
    torch.testing.assert_close(weighted, attention.attend(queries, twice))


@pytest.mark.parametrize("batch", [1, 4])
def test_blocks_of_the_largest_pictures_are_small_enough(batch: int) -> None:
    rows, keys = 2048 * 2048, 256 * 256  # stage 1 of 8192x8192 pixels, unmerged
    blocks = encoder._in_blocks(torch.empty(batch, 1, rows, 32, device="meta"), keys)
    assert sum(block.shape[2] for block in blocks) == rows
    assert max(block.shape[2] for block in blocks) * keys * batch <= encoder.MOST_SCORES < 2**33


def test_usual_pictures_take_one_product() -> None:
    queries = torch.empty(1, 1, 540 * 960, 32, device="meta")
    assert encoder._in_blocks(queries, 67 * 120)[0] is queries


class Attend(torch.nn.Module):
    """Attention of tokens to themselves' first `num_keys`."""

    def __init__(self, attention: EfficientAttention, num_keys: int) -> None:
        super().__init__()
        self.attention, self.num_keys = attention, num_keys

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.attention.attend(tokens, tokens[:, : self.num_keys])


def test_blocks_leave_a_dynamic_batch_open(attention: EfficientAttention, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "LEAST_BLOCKS", 1)
    monkeypatch.setattr(encoder, "MOST_SCORES", HEADS * 17 * 6 // 4)
    batch = torch.export.Dim("batch", min=1, max=8)
    module = Attend(attention, 6)
    program = torch.export.export(module, (torch.randn(2, 17, 8),), dynamic_shapes=({0: batch},))
    assert sum(node.target == torch.ops.aten.softmax.int for node in program.graph.nodes) == 5
    for count in (1, 3):
        tokens = torch.randn(count, 17, 8)
        torch.testing.assert_close(program.module()(tokens), module(tokens))


@needs("tensorrt_rtx")
def test_more_scores_than_tensorrt_rtx_takes_in_one_product(tmp_path: Path) -> None:
    module = Attend(EfficientAttention(64, HEADS, reduction=1, eps=1e-6), 2**13).eval()
    with torch.no_grad():
        program = torch.onnx.export(module, (torch.zeros(1, 2**19, 64),), dynamo=True, verbose=False)
    assert program is not None
    onnx.save(program.model_proto, tmp_path / "m.onnx")
    assert build_with_rtx(tmp_path / "m.onnx").engine_bytes > 0
