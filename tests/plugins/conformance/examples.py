"""A call of each op with what PyTorch's reference makes of it, at TensorRT's side of the types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from segpp_deploy.ops.declaration import OpDeclaration
from segpp_deploy.ops.registry import DECLARATIONS
from tests.plugins.conformance.driver import Array, Driver, field_tokens, tensor_token

TENSORRT_DTYPES = {"uint8": "float16"}
"""TensorRT takes no uint8 from plugins: their labels are float16, and the graph casts them."""

FLOATS = {"float32": torch.float32, "float16": torch.float16}


@dataclass(frozen=True)
class Example:
    """A call of an op: arrays as a plugin sees them."""

    op: OpDeclaration
    attributes: Mapping[str, int]
    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]

    @property
    def fields(self) -> list[str]:
        """The attributes as plugin fields."""
        return field_tokens(self.attributes)

    @property
    def tokens(self) -> list[str]:
        """All tensors, without files."""
        return [tensor_token(array) for array in (*self.inputs, *self.outputs)]

    def output_files(self, run: str) -> list[str]:
        """The outputs with the files that they go to, of this name."""
        tokens = self.tokens[len(self.inputs) :]
        return [f"{token}:output{index}-{run}" for index, token in enumerate(tokens)]

    def tensors(self) -> str:
        """Number of inputs and all tensors, as commands take them."""
        return " ".join([str(len(self.inputs)), *self.tokens])


def make_example(name: str, dtype: str = "float32", batch: int = 2, with_optional: bool = True) -> Example:
    """Return an example of the op `name`; its optional input is there or not."""
    attributes, inputs = _MAKERS[name](FLOATS[dtype], batch)
    declaration = DECLARATIONS[name]
    if not with_optional:
        inputs = [tensor for tensor, said in zip(inputs, declaration.inputs, strict=True) if not said.optional]
    returned = getattr(torch.ops.segpp, declaration.stem)(*inputs, **attributes)
    expected = (returned,) if isinstance(returned, torch.Tensor) else returned
    shapes = [list(tensor.shape) for tensor in expected]
    assert shapes == declaration.infer_shapes([tensor.shape for tensor in inputs], attributes)
    arrays = tuple(tensor.numpy() for tensor in inputs)
    return Example(declaration, attributes, arrays, tuple(_as_tensorrt(tensor.numpy()) for tensor in expected))


def _as_tensorrt(output: Array) -> Array:
    return output.astype(TENSORRT_DTYPES.get(str(output.dtype), output.dtype))


def _random(*shape: int, dtype: torch.dtype, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


_GRID = {"grid_h": 7, "grid_w": 10, "stride_y": 2, "stride_x": 3, "num_removed": 41}  # row 6 and column 9 are ragged
_NUM_TOKENS = _GRID["grid_h"] * _GRID["grid_w"]
_NUM_ROWS = _NUM_TOKENS - _GRID["num_removed"]
_CHANNELS = 24


def _row_of_token(batch: int) -> torch.Tensor:
    rows: torch.Tensor = torch.ops.segpp.token_match(
        _random(batch, _NUM_TOKENS, _CHANNELS, dtype=torch.float32), **_GRID
    )
    return rows


def _token_match(dtype: torch.dtype, batch: int) -> tuple[dict[str, int], list[torch.Tensor]]:
    return _GRID, [_random(batch, _NUM_TOKENS, _CHANNELS, dtype=dtype)]


def _token_match_merge(dtype: torch.dtype, batch: int) -> tuple[dict[str, int], list[torch.Tensor]]:
    grid = {name: value for name, value in _GRID.items() if name != "num_removed"}
    return {**grid, "num_rows": _NUM_ROWS}, [_random(batch, _NUM_TOKENS, _CHANNELS, dtype=dtype)]


def _token_merge(dtype: torch.dtype, batch: int) -> tuple[dict[str, int], list[torch.Tensor]]:
    tokens = _random(batch, _NUM_TOKENS, _CHANNELS, dtype=dtype, seed=1)
    return {"num_rows": _NUM_ROWS}, [tokens, _row_of_token(batch)]


def _token_unmerge(dtype: torch.dtype, batch: int) -> tuple[dict[str, int], list[torch.Tensor]]:
    rows = _random(batch, _NUM_ROWS, _CHANNELS, dtype=dtype, seed=2)
    return {}, [rows, _row_of_token(batch), _random(batch, _NUM_TOKENS, _CHANNELS, dtype=dtype, seed=3)]


def _upsample_argmax(dtype: torch.dtype, batch: int) -> tuple[dict[str, int], list[torch.Tensor]]:
    return {"height": 30, "width": 41}, [_random(batch, 11, 8, 10, dtype=dtype)]


_MAKERS = {
    "TokenMatch": _token_match,
    "TokenMatchMerge": _token_match_merge,
    "TokenMerge": _token_merge,
    "TokenMergeWithSize": _token_merge,
    "TokenUnmerge": _token_unmerge,
    "UpsampleArgmax": _upsample_argmax,
}


def assert_outputs(driver: Driver, example: Example, run: str) -> None:
    """What a run wrote into its output files is what the reference computes."""
    for index, expected in enumerate(example.outputs):
        assert_close(driver.load(f"output{index}-{run}", expected), expected)


def assert_close(actual: Array, expected: Array) -> None:
    """Integers and labels are equal; float32 is within 1e-5, float16 within 2e-3."""
    assert actual.dtype == expected.dtype
    if expected.dtype == np.int32:
        np.testing.assert_array_equal(actual, expected)
    else:
        tolerance = 1e-5 if expected.dtype == np.float32 else 2e-3
        np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)
