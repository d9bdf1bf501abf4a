"""The modes that are compared for speed: without those that are there for completeness only."""

from __future__ import annotations

from segpp_deploy.config import Preset

COMPARED_MODES = tuple(mode for mode in Preset if mode not in (Preset.N1D, Preset.DOWNSAMPLE))
"""`original` first."""
