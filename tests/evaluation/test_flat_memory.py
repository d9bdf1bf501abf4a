"""Ten thousand pictures take no more memory than a thousand."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from segpp_deploy.config import Size
from segpp_deploy.data.datasets import Dataset, Sample
from segpp_deploy.data.datasets.labels import LabelFile
from segpp_deploy.evaluation.evaluator import Evaluator
from segpp_deploy.evaluation.predictor import Predictor
from tests.workflows.fake_session import BrightnessSession, make_metadata

IMAGES, SETTLED = 10_000, 1_000
PICTURE_BYTES = 32 * 64 * 3
MOST_GROWTH = (IMAGES - SETTLED) * PICTURE_BYTES // 8
"""An eighth of what the pictures would take."""


def resident_bytes() -> int:
    found = re.search(r"^VmRSS:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


class NewPictures(BrightnessSession):
    """Forgets what it was shown."""

    def run(self, images: np.ndarray) -> np.ndarray:
        self.shapes.clear()
        return super().run(images)


def sample(number: int) -> Sample[np.ndarray]:
    def draw() -> np.ndarray:
        return np.full((32, 64, 3), number % 256, np.uint8)

    labels = LabelFile(str(number), lambda: (draw()[..., 0] > 127).astype(np.uint8), is_drawn=True)
    return Sample(str(number), draw, labels)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.slow
def test_memory_stays_flat() -> None:
    settled = 0

    def look(_step: str, done: int, _total: int) -> None:
        nonlocal settled
        if done == SETTLED:
            settled = resident_bytes()

    dataset = Dataset("many", tuple(map(sample, range(IMAGES))))
    evaluator: Evaluator[object, object] = Evaluator(dataset, look)
    predictor, reference = (Predictor(NewPictures(make_metadata(size=Size(32, 64)))) for _ in range(2))
    evaluator.compare(predictor, reference)
    assert settled
    assert resident_bytes() - settled < MOST_GROWTH
