"""Thresholds on values whose right answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segpp_deploy.config import CalibrationMethod
from segpp_deploy.graph.precision.qdq import LARGEST_INT8
from segpp_deploy.graph.precision.thresholds import BINS, PERCENTILE, AbsHistogram

METHODS = list(CalibrationMethod)


def histogram_of(values: np.ndarray) -> AbsHistogram:
    values = values.astype(np.float32)
    histogram = AbsHistogram(float(np.abs(values).max()))
    histogram.add(values)
    return histogram


def int8_error(values: np.ndarray, threshold: float) -> float:
    step = threshold / LARGEST_INT8
    return float(np.mean((np.clip(np.rint(values / step), -LARGEST_INT8, LARGEST_INT8) * step - values) ** 2))


@pytest.fixture(scope="module")
def normal() -> np.ndarray:
    return np.random.default_rng(0).standard_normal(400_000)


@pytest.mark.parametrize("method", METHODS)
def test_uniform_values_are_not_clipped(method: CalibrationMethod) -> None:
    histogram = histogram_of(np.random.default_rng(0).uniform(-3, 3, 200_000))
    assert histogram.threshold(method) == pytest.approx(3, rel=0.02)


def test_an_outlier_is_kept_by_max_only(normal: np.ndarray) -> None:
    histogram = histogram_of(np.append(normal, -50.0))
    assert histogram.threshold(CalibrationMethod.MAX) == 50
    for method in (CalibrationMethod.PERCENTILE, CalibrationMethod.ENTROPY, CalibrationMethod.MSE):
        assert histogram.threshold(method) < 25


def test_percentile(normal: np.ndarray) -> None:
    histogram = histogram_of(normal)
    exact = np.percentile(np.abs(normal), PERCENTILE)
    assert histogram.threshold(CalibrationMethod.PERCENTILE) == pytest.approx(exact, abs=2 * histogram.max_abs / BINS)


def test_mse_is_the_smallest_error(normal: np.ndarray) -> None:
    found = histogram_of(normal).threshold(CalibrationMethod.MSE)
    best = min(int8_error(normal, threshold) for threshold in np.linspace(2.5, 5.2, 60))
    assert int8_error(normal, found) <= best * 1.02


def test_entropy_of_a_heavy_tail_clips() -> None:
    heavy = np.random.default_rng(0).standard_t(3, 400_000)
    histogram = histogram_of(heavy)
    threshold = histogram.threshold(CalibrationMethod.ENTROPY)
    assert np.percentile(np.abs(heavy), 99) < threshold < 0.7 * histogram.max_abs


@pytest.mark.parametrize("method", METHODS)
def test_zeros_only(method: CalibrationMethod) -> None:
    assert histogram_of(np.zeros(10)).threshold(method) == 0


@pytest.mark.parametrize("method", METHODS)
def test_a_single_value(method: CalibrationMethod) -> None:
    assert histogram_of(np.array([-7.0])).threshold(method) == pytest.approx(7, rel=0.01)


@settings(deadline=None, max_examples=30)
@given(
    parts=st.lists(st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=20), min_size=1, max_size=6),
    order=st.randoms(),
)
def test_order_does_not_matter(parts: list[list[float]], order) -> None:
    largest = max(abs(value) for part in parts for value in part)
    results = []
    for _ in range(2):
        histogram = AbsHistogram(largest)
        for part in parts:
            histogram.add(np.float32(part))
        results.append([histogram.threshold(method) for method in METHODS])
        assert all(0 <= threshold <= largest for threshold in results[-1])
        order.shuffle(parts)
    assert results[0] == results[1]


def test_its_size_does_not_grow(normal: np.ndarray) -> None:
    histogram = histogram_of(normal)
    before = histogram.counts.nbytes
    histogram.add(normal.astype(np.float32))
    assert histogram.counts.nbytes == before
    assert histogram.counts.sum() == 2 * normal.size
