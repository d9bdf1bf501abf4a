"""The judge: labels of the data where they are the model's classes, the float32 graph's where not; any batch."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from segpp_deploy.config import OutputKind
from segpp_deploy.data.images import write_image
from segpp_deploy.data.selection import CalibrationImage, CalibrationSet, choose_images
from segpp_deploy.errors import SegppError
from segpp_deploy.progress import no_progress
from segpp_deploy.tuning.judge import Judge
from tests.workflows.fake_session import SMALL, BrightnessSession, make_metadata

HEIGHT, WIDTH = SMALL.hw
PICTURES = 3
SHADES = (100, 150, 200, 240)  # of the four quarters; BrightnessSession calls all but the first bright
FLIPS_ONE_QUARTER = -40.0  # then 150 counts as dark


def picture() -> np.ndarray:
    row = np.repeat(np.array(SHADES, np.uint8), WIDTH // 4)
    return np.broadcast_to(row[None, :, None], (HEIGHT, WIDTH, 3)).copy()


def labelled(labels: np.ndarray | None, count: int = PICTURES) -> CalibrationSet:
    images = tuple(CalibrationImage(f"{i}.png", lambda: (picture(), labels)) for i in range(count))
    return CalibrationSet("kind", images, None, ())


def truth() -> np.ndarray:
    return (picture()[..., 0] > 127).astype(np.uint8)


@pytest.mark.parametrize("output_kind", [OutputKind.LABELS, OutputKind.LOGITS])
@pytest.mark.parametrize("batch", [1, 2, None])
def test_labels_decide(batch: int | None, output_kind: OutputKind) -> None:
    metadata = make_metadata(output_kind, batch)
    steps: list[tuple[str, int, int]] = []
    judge = Judge("data", labelled(truth()), BrightnessSession(metadata), lambda *step: steps.append(step))
    assert judge.reference.miou == 1
    assert steps[-1] == ("Float32 on data", PICTURES, PICTURES)
    other = BrightnessSession(metadata, FLIPS_ONE_QUARTER)
    found = judge.judge(other, "int8", no_progress)
    assert found.scores.images == PICTURES
    assert found.agreement == pytest.approx(0.75, abs=0.02)  # logits are resized over the edge
    assert found.scores.miou == pytest.approx((1 / 2 + 2 / 3) / 2, abs=0.03)
    assert judge.disagreement(other, 2) == pytest.approx(1 - found.agreement)
    assert {shape[0] for shape in other.shapes} == {batch or 1}


def test_wrong_labels_cost_the_reference_too() -> None:
    metadata = make_metadata()
    judge = Judge("data", labelled(1 - truth()), BrightnessSession(metadata), no_progress)
    assert judge.reference.miou == 0
    assert judge.judge(BrightnessSession(metadata), "fp16", no_progress).agreement == 1


def test_a_directory_is_judged_by_the_float32_graph(tmp_path: Path) -> None:
    for index in range(PICTURES):
        write_image(tmp_path / f"{index}.png", picture())
    metadata = make_metadata()
    chosen = choose_images(str(tmp_path), 2, metadata)
    judge = Judge(str(tmp_path), chosen, BrightnessSession(metadata), no_progress)
    assert len(judge.images) == 2
    assert judge.reference.miou == 1
    found = judge.judge(BrightnessSession(metadata, FLIPS_ONE_QUARTER), "int8", no_progress)
    assert found.scores.miou == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert not math.isnan(found.scores.miou)


def test_labels_that_name_no_class() -> None:
    nothing = np.full(SMALL.hw, 255, np.uint8)
    with pytest.raises(SegppError, match="No pixel of data has a label"):
        Judge("data", labelled(nothing), BrightnessSession(make_metadata()), no_progress)
