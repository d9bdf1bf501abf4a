"""Heatmaps to keypoints inside the graph, of ordinary operators: what `tasks.pose` does outside of it."""

from __future__ import annotations

import torch

_SHIFT = 0.25  # cells
_NOT_FOUND = -1.0


def decode_keypoints(heatmaps: torch.Tensor, stride: int) -> torch.Tensor:
    """Return x, y and score of each keypoint, float32 [B, K, 3], in pixels of the network's input.

    The first of equal maxima counts, as in mmpose; runtimes differ in the one that their ArgMax or TopK returns. A
    keypoint whose heatmap has no value above 0 is at (-1, -1).

    Args:
        heatmaps: [B, K, h, w].
        stride: pixels of the input per cell.
    """
    height, width = int(heatmaps.shape[2]), int(heatmaps.shape[3])
    flat = heatmaps.float().flatten(2)
    cells = height * width
    scores = flat.amax(2, keepdim=True)
    places = torch.arange(cells, device=heatmaps.device)
    best = torch.where(flat == scores, places, cells).amin(2, keepdim=True).clamp(max=cells - 1)
    y = torch.div(best, width, rounding_mode="trunc")
    x = best - y * width

    def slope(step: int) -> torch.Tensor:
        after, before = (best + step).clamp(max=cells - 1), (best - step).clamp(min=0)
        return torch.sign(flat.gather(2, after) - flat.gather(2, before)) * _SHIFT

    has_columns = (x > 1) & (x < width - 1) & (y > 0)
    has_rows = (y > 1) & (y < height - 1) & (x > 0)
    none = torch.zeros_like(scores)
    moved = torch.cat(
        [x.float() + torch.where(has_columns, slope(1), none), y.float() + torch.where(has_rows, slope(width), none)], 2
    )
    points = torch.where(scores > 0, moved * float(stride), torch.full_like(moved, _NOT_FOUND))
    return torch.cat([points, scores], 2)
