"""Fixtures that several test packages share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def camvid_root() -> Path:
    """The CamVid frames; tests that ask for them are skipped where they are absent."""
    root = Path(os.environ.get("SEGPP_CAMVID") or REPOSITORY.parent / "shared/data/camvid")
    if not (root / "images/val").is_dir():
        pytest.skip(f"no CamVid frames at {root}; set SEGPP_CAMVID to their directory")
    return root


@pytest.fixture(scope="session")
def camvid_weights() -> Path:
    """The B0 weights trained on CamVid; tests that ask for them are skipped where they are absent."""
    default = REPOSITORY.parent / "shared/weights/segformer_b0_camvid.safetensors"
    path = Path(os.environ.get("SEGPP_CAMVID_WEIGHTS") or default)
    if not path.is_file():
        pytest.skip(f"no CamVid weights at {path}; set SEGPP_CAMVID_WEIGHTS to the file")
    return path
