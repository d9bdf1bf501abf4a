"""Fixtures that several test packages share."""

from __future__ import annotations

from pathlib import Path

import camvid_data
import pytest


@pytest.fixture(scope="session")
def camvid_root() -> Path:
    """The CamVid frames; tests that ask for them are skipped where they are absent."""
    if missing := camvid_data.explain_missing_frames():
        pytest.skip(missing)
    return camvid_data.FRAMES


@pytest.fixture(scope="session")
def camvid_weights() -> Path:
    """The B0 weights trained on CamVid; tests that ask for them are skipped where they are absent."""
    if missing := camvid_data.explain_missing_weights():
        pytest.skip(missing)
    return camvid_data.WEIGHTS
