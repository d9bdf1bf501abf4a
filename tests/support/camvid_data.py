"""Where the CamVid frames and the B0 weights trained on them lie; neither is in the repository."""

from __future__ import annotations

import os
from pathlib import Path

_SHARED = Path(__file__).resolve().parents[3] / "shared"
FRAMES = Path(os.environ.get("SEGPP_CAMVID") or _SHARED / "data/camvid")
WEIGHTS = Path(os.environ.get("SEGPP_CAMVID_WEIGHTS") or _SHARED / "weights/segformer_b0_camvid.safetensors")


def explain_missing_frames() -> str:
    """Return what is missing and how to name it; empty if the frames are there."""
    if (FRAMES / "images/val").is_dir():
        return ""
    return f"no CamVid frames at {FRAMES}; set SEGPP_CAMVID to their directory"


def explain_missing_weights() -> str:
    """Return what is missing and how to name it; empty if the weights are there."""
    return "" if WEIGHTS.is_file() else f"no CamVid weights at {WEIGHTS}; set SEGPP_CAMVID_WEIGHTS to the file"


def explain_missing() -> str:
    """Return why a benchmark that needs frames and weights cannot run; empty if it can."""
    return explain_missing_frames() or explain_missing_weights()
