"""The kernels on buffers that end with their memory; run with a sanitized library in a process of its own.

    python -m tests.plugins.kernels.sanitized_cases LIBRARY

AddressSanitizer or UndefinedBehaviorSanitizer ends the process where a kernel touches what is not its own.
Results are compared with the token-by-token code, not with PyTorch, which would be loaded for minutes.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np

from tests.ops import brute_force
from tests.plugins.kernels.host_kernels import Array, HostKernels, place

DTYPES = (np.float32, np.float16)
TOLERANCE = {np.float32: 1e-5, np.float16: 2e-3}
# grid, stride, channels, removed, misalignment in elements
MATCHES = (
    ((9, 17), (2, 2), 40, 90, 0),
    ((7, 5), (3, 2), 9, 12, 0),
    ((12, 12), (4, 4), 16, 60, 1),
    ((1, 2), (1, 2), 1, 1, 0),
)


def main() -> int:
    """Run every kernel; 0 if all results are right."""
    kernels = HostKernels(Path(sys.argv[1]))
    for dtype, (grid, stride, channels, num_removed, shift) in itertools.product(DTYPES, MATCHES):
        tokens = np.random.default_rng(channels).standard_normal((2, grid[0] * grid[1], channels)).astype(dtype)
        misalign = shift * tokens.itemsize
        rows = kernels.token_match(place(tokens, misalign), grid, stride, num_removed)
        for image in range(2):
            assert rows[image].tolist() == brute_force.match(tokens[image].astype(float), grid, stride, num_removed)
        merged = check_merge(kernels, tokens, rows, grid[0] * grid[1] - num_removed, misalign)
        again = kernels.token_match_merge(place(tokens, misalign), grid, stride, num_removed, misalign=misalign)
        assert np.array_equal(again[0], rows)
        assert np.array_equal(again[1], merged)
    check_upsample(kernels)
    print("all results are right")
    return 0


def check_merge(kernels: HostKernels, tokens: Array, rows: Array, num_rows: int, misalign: int) -> Array:
    """Return the merged tokens, once they and all that is made of them are right."""
    merged = kernels.token_merge(place(tokens, misalign), place(rows), num_rows, misalign)
    again, log_size = kernels.token_merge_with_size(place(tokens, misalign), place(rows), num_rows, misalign)
    assert np.array_equal(again, merged)
    for image in range(2):
        expected = brute_force.merge(tokens[image].astype(float), rows[image].tolist(), num_rows)
        np.testing.assert_allclose(merged[image], expected, rtol=0, atol=TOLERANCE[tokens.dtype.type])
        np.testing.assert_allclose(np.exp(log_size[image]), np.bincount(rows[image]), rtol=1e-5)
    restored = kernels.token_unmerge(place(merged, misalign), place(rows), place(tokens, misalign))
    gathered = np.take_along_axis(merged, rows[..., None].astype(np.int64), axis=1)
    assert np.array_equal(restored, gathered + tokens)
    return merged


def check_upsample(kernels: HostKernels) -> None:
    for shape, size in (((2, 5, 7, 9), (29, 36)), ((1, 3, 8, 8), (3, 5)), ((1, 1, 1, 1), (1, 1))):
        for dtype, label_dtype in itertools.product(DTYPES, (np.uint8, np.float16)):
            logits = np.random.default_rng(0).standard_normal(shape).astype(dtype)
            labels = kernels.upsample_argmax(place(logits), *size, label_dtype)
            for image, found in zip(logits.astype(float), labels, strict=True):
                assert np.array_equal(found, brute_force.upsample_argmax(image, *size))


if __name__ == "__main__":
    raise SystemExit(main())
