"""Fixtures that several test packages share."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.support import camvid_data

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts the tests in the background has them ignore Ctrl-C, and every process they start as well.
    signal.signal(signal.SIGINT, signal.default_int_handler)


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
