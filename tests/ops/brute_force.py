"""The custom ops written token by token, independent of the tensor code they check."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def match(tokens: Array, grid: tuple[int, int], stride: tuple[int, int], num_removed: int) -> list[int]:
    """Return the row of every token [N] of one image [N, C]: loops and Python's stable sort."""
    height, width = grid
    sy, sx = stride
    destinations = [y * width + x for y in range(0, height // sy * sy, sy) for x in range(0, width // sx * sx, sx)]
    sources = [n for n in range(height * width) if n not in set(destinations)]

    def cosine(a: int, b: int) -> float:
        norm = math.sqrt(sum(v * v for v in tokens[a])) * math.sqrt(sum(v * v for v in tokens[b]))
        return sum(v * w for v, w in zip(tokens[a], tokens[b], strict=True)) / norm if norm else 0.0

    nearest, best = {}, {}
    for source in sources:
        scores = [cosine(source, destination) for destination in destinations]
        best[source] = max(scores)
        nearest[source] = destinations[scores.index(best[source])]
    merged = set(sorted(sources, key=lambda n: (-best[n], n))[:num_removed])
    row_of_kept = {n: row for row, n in enumerate(n for n in range(height * width) if n not in merged)}
    return [row_of_kept[nearest[n] if n in merged else n] for n in range(height * width)]


def merge(tokens: Array, row_of_token: list[int], num_rows: int) -> Array:
    """Return the mean of each row's members [M, C]."""
    members: list[list[Array]] = [[] for _ in range(num_rows)]
    for token, row in zip(tokens, row_of_token, strict=True):
        members[row].append(token)
    return np.stack([np.mean(group, axis=0) for group in members])


def upsample_argmax(logits: Array, height: int, width: int) -> npt.NDArray[np.uint8]:
    """Return labels [height, width] of [K, h, w] by half-pixel bilinear sampling, pixel by pixel."""
    _, h, w = logits.shape
    labels = np.zeros((height, width), np.uint8)
    for y in range(height):
        for x in range(width):
            sy = min(max((y + 0.5) * h / height - 0.5, 0), h - 1)
            sx = min(max((x + 0.5) * w / width - 0.5, 0), w - 1)
            y0, x0 = int(sy), int(sx)
            y1, x1 = min(y0 + 1, h - 1), min(x0 + 1, w - 1)
            fy, fx = sy - y0, sx - x0
            top = logits[:, y0, x0] * (1 - fx) + logits[:, y0, x1] * fx
            bottom = logits[:, y1, x0] * (1 - fx) + logits[:, y1, x1] * fx
            labels[y, x] = int(np.argmax(top * (1 - fy) + bottom * fy))
    return labels
