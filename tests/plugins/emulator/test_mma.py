"""The emulated tensor cores against a NumPy product. The fragment layouts here are the pictures of the PTX manual."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.plugins.native import build_host

Array = npt.NDArray[Any]

# PTX ISA, "Matrix Fragments": an 8x8 tile holds T0 T0 T1 T1 T2 T2 T3 T3 in its first row, T4 T4 .. in its second.
# In b the rows are columns: T0 T0 T1 T1 .. stand one below the other.
LANE_OF = np.arange(32).reshape(8, 4).repeat(2, axis=1)
HALF_OF = np.tile([0, 1], (8, 4))
# Which register of a lane each 8x8 tile is in.
A_TILES = {8: [[0], [1]], 16: [[0, 2], [1, 3]]}
B_TILES = {8: [[0]], 16: [[0], [1]]}
D_TILES = [[0], [1]]  # pairs of floats


@pytest.fixture(scope="session")
def program() -> Path:
    return build_host("emulator_tests")


def _pack(matrix: Array, tiles: list[list[int]], transposed: bool) -> npt.NDArray[np.uint32]:
    """Return the registers [lane, register] of a matrix of float16."""
    words = np.zeros((32, 4), np.uint32)
    for i, row in enumerate(tiles):
        for j, register in enumerate(row):
            tile = matrix[8 * i : 8 * i + 8, 8 * j : 8 * j + 8]
            bits = (tile.T if transposed else tile).copy().view(np.uint16).astype(np.uint32)
            np.add.at(words[:, register], LANE_OF, bits << (16 * HALF_OF).astype(np.uint32))
    return words


def _lane_values(matrix: Array) -> Array:
    """Return the accumulators [lane, 4] of a 16x8 matrix."""
    values = np.zeros((32, 4), np.float32)
    for (register,), tile in zip(D_TILES, (matrix[:8], matrix[8:]), strict=True):
        values[LANE_OF, 2 * register + HALF_OF] = tile
    return values


def _matrix(values: Array) -> Array:
    """Return the 16x8 matrix of accumulators [lane, 4]."""
    return np.concatenate([values[LANE_OF, 2 * register + HALF_OF] for (register,) in D_TILES])


def _multiply(program: Path, a: Array, b: Array, d: Array) -> Array:
    depth = a.shape[1]
    a_words = _pack(a, A_TILES[depth], transposed=False)
    b_words = _pack(b, B_TILES[depth], transposed=True)[:, :2]
    lines = [str(depth)]
    for a_row, b_row, d_row in zip(a_words, b_words, _lane_values(d), strict=True):
        lines.append(" ".join([*(f"{word:x}" for word in (*a_row, *b_row)), *(repr(float(value)) for value in d_row)]))
    done = subprocess.run(
        [program, "mma_of_input"], input="\n".join(lines), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return _matrix(np.array([line.split() for line in done.stdout.splitlines()[:32]], np.float32))


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("seed", range(3))
def test_product_of_whole_numbers_is_exact(program: Path, depth: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    a = random.integers(-9, 10, (16, depth)).astype(np.float16)
    b = random.integers(-9, 10, (depth, 8)).astype(np.float16)
    d = random.integers(-99, 100, (16, 8)).astype(np.float32)
    expected = d + a.astype(np.float32) @ b.astype(np.float32)
    np.testing.assert_array_equal(_multiply(program, a, b, d), expected)


@pytest.mark.parametrize("depth", [8, 16])
def test_each_element_has_its_place(program: Path, depth: int) -> None:
    """One element of a or b alone, so that no two wrong places can make up for each other."""
    numbers = np.arange(1, 16 * depth + 1, dtype=np.float16).reshape(16, depth)
    for k in range(depth):
        b = np.zeros((depth, 8), np.float16)
        b[k, k % 8] = 1
        product = _multiply(program, numbers, b, np.zeros((16, 8), np.float32))
        np.testing.assert_array_equal(product, numbers.astype(np.float32) @ b.astype(np.float32))


@pytest.mark.parametrize("depth", [8, 16])
def test_sums_are_float32(program: Path, depth: int) -> None:
    random = np.random.default_rng(7)
    a = random.standard_normal((16, depth)).astype(np.float16)
    b = random.standard_normal((depth, 8)).astype(np.float16)
    d = random.standard_normal((16, 8)).astype(np.float32)
    exact = d + a.astype(np.float64) @ b.astype(np.float64)
    bound = (np.abs(d) + np.abs(a.astype(np.float64)) @ np.abs(b.astype(np.float64))) * depth * 2.0**-24
    assert (np.abs(_multiply(program, a, b, d) - exact) <= bound).all()


def test_subnormal_and_infinite_halves(program: Path) -> None:
    a = np.zeros((16, 8), np.float16)
    b = np.ones((8, 8), np.float16)
    a[0, 0] = 2.0**-24  # the smallest
    a[1, 1] = np.inf
    a[2, 2] = np.nan
    product = _multiply(program, a, b, np.zeros((16, 8), np.float32))
    assert (product[0] == 2.0**-24).all()
    assert (product[1] == np.inf).all()
    assert np.isnan(product[2]).all()
    assert (product[3:] == 0).all()
