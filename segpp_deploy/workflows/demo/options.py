"""What can be asked of `demo`; apart from the work, so that options are checked before libraries load."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from segpp_deploy.config import Preset, Size

DEMO_MODEL = "segformer_b0_scenes"
DEMO_SIZE = Size(512, 1024)
DEMO_MODES = (Preset.ORIGINAL, Preset.HQ_PLUS, Preset.FAST_PLUS)
IMAGES = 24
ITERATIONS = 15


@dataclass(frozen=True)
class DemoOptions:
    """What the demo does.

    Args:
        out: the report directory.
        images: held-out scenes to judge precisions and modes on.
        iterations: timed calls of each engine.
        model: a card, or a card file.
        size: what the engines take, in pixels.
        modes: what is compared with the plain export.
    """

    out: Path
    images: int = IMAGES
    iterations: int = ITERATIONS
    model: str = DEMO_MODEL
    size: Size = DEMO_SIZE
    modes: tuple[Preset, ...] = DEMO_MODES
