"""Agreement over several updates is agreement over everything at once."""

from __future__ import annotations

import math

import numpy as np
import pytest

from segpp_deploy.tasks.protocol.outputs import OutputAgreement
from segpp_deploy.tasks.segmentation.agreement import PixelAgreement


def test_pixels_over_images_of_different_sizes() -> None:
    agreement = PixelAgreement()
    agreement.update(np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint8))
    agreement.update(np.zeros((1, 4), np.uint8), np.array([[0, 1, 1, 1]], np.uint8))
    assert agreement.fraction() == 5 / 8


def test_logits_against_direct_formulas() -> None:
    rng = np.random.default_rng(0)
    pairs = [(rng.standard_normal((3, 4, n)), rng.standard_normal((3, 4, n))) for n in (2, 5)]
    agreement = OutputAgreement()
    for reference, other in pairs:
        agreement.update(reference.astype(np.float32), other.astype(np.float32))
    left = np.concatenate([p[0].ravel() for p in pairs])
    right = np.concatenate([p[1].ravel() for p in pairs])
    result = agreement.result()
    assert result.max_abs_error == pytest.approx(np.abs(left - right).max(), rel=1e-6)
    assert result.rms_error == pytest.approx(np.sqrt(np.mean((left - right) ** 2)), rel=1e-6)
    assert result.cosine == pytest.approx(left @ right / np.linalg.norm(left) / np.linalg.norm(right), rel=1e-6)


def test_half_precision_does_not_overflow() -> None:
    agreement = OutputAgreement()
    agreement.update(np.full(1000, 60000, np.float16), np.full(1000, -60000, np.float16))
    result = agreement.result()
    assert result.max_abs_error == pytest.approx(120000, rel=1e-3)
    assert result.cosine == pytest.approx(-1)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("bad", [(math.nan, 1.0), (1.0, math.nan), (math.inf, math.inf), (math.inf, -math.inf)])
def test_non_finite_values_are_not_lost(bad: tuple[float, float]) -> None:
    agreement = OutputAgreement()
    agreement.update(np.array([bad[0]]), np.array([bad[1]]))
    agreement.update(np.array([1.0]), np.array([1.0]))
    assert not math.isfinite(agreement.result().max_abs_error)


def test_nothing_added() -> None:
    assert math.isnan(PixelAgreement().fraction())
    assert math.isnan(OutputAgreement().result().max_abs_error)


def test_zero_side_has_no_cosine() -> None:
    agreement = OutputAgreement()
    agreement.update(np.zeros(3), np.ones(3))
    assert math.isnan(agreement.result().cosine)


def test_shapes_must_agree() -> None:
    for agreement in (PixelAgreement(), OutputAgreement()):
        with pytest.raises(ValueError, match="differ"):
            agreement.update(np.zeros(3), np.zeros(4))
