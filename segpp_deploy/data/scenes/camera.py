"""The pinhole camera: metres (x right, y up, z forward, ground at y = 0) to pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import Size

NEAR_M = 1.2  # points nearer than this are drawn as if they stood here
FAR_M = 150.0  # the street ends here; beyond it there is only the backdrop

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """Where the camera is and how it looks; small pitch is a shift of the horizon.

    Args:
        size: the picture in pixels.
        focal_px: focal length in pixels.
        centre_u: column of the optical axis.
        horizon_v: row of the horizon.
        height_m: height above the ground.
    """

    size: Size
    focal_px: float
    centre_u: float
    horizon_v: float
    height_m: float

    def project(self, points: Points) -> Points:
        """Map [N, 3] metres to [N, 2] pixels (column, row)."""
        depth = np.maximum(points[:, 2], NEAR_M)
        column = self.centre_u + self.focal_px * points[:, 0] / depth
        row = self.horizon_v + self.focal_px * (self.height_m - points[:, 1]) / depth
        return np.stack([column, row], axis=1)

    def row_depth_m(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Distance of the ground seen in each row below the horizon."""
        below = np.maximum(rows + 0.5 - self.horizon_v, 1e-3)
        return np.asarray(self.focal_px * self.height_m / below, dtype=np.float32)

    def pixels_per_metre(self, depth_m: float) -> float:
        """Pixels that one metre takes at a distance."""
        return self.focal_px / max(depth_m, NEAR_M)
