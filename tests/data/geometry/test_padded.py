"""A picture at its own aspect: where it lies in the input, and that what is found comes back in its place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segpp_deploy.config import Fit, Normalization, OutputKind, Size
from segpp_deploy.data.geometry.padded import PaddedFit
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.tasks.segmentation.prediction import Segmentation
from tests.workflows.fake_session import BrightnessSession, make_metadata

SIDE = st.integers(1, 3000)


@settings(max_examples=200, deadline=None)
@given(st.builds(Size, SIDE, SIDE), st.builds(Size, st.integers(32, 1024), st.integers(32, 1024)))
def test_sizes(picture: Size, window: Size) -> None:
    fit = PaddedFit(picture, window)
    inner, outer = fit.inner, fit.outer
    assert 1 <= inner.height <= window.height
    assert 1 <= inner.width <= window.width
    assert inner.height == window.height or inner.width == window.width
    scale = min(window.height / picture.height, window.width / picture.width)
    assert abs(inner.height - picture.height * scale) <= max(0.5, 1 - picture.height * scale)
    assert outer.height >= picture.height
    assert outer.width >= picture.width


def test_the_rest_is_the_mean_colour() -> None:
    image = np.full((10, 40, 3), 255, np.uint8)
    shown = PaddedFit(Size(10, 40), Size(64, 64)).show(image, Normalization())
    assert shown.shape == (64, 64, 3)
    assert (shown[:16] == 255).all()
    assert np.unique(shown[16:].reshape(-1, 3), axis=0).tolist() == [[124, 116, 104]]


@pytest.mark.parametrize("kind", [OutputKind.LABELS, OutputKind.LOGITS])
@pytest.mark.parametrize("size", [Size(50, 200), Size(200, 50), Size(64, 64), Size(33, 35), Size(300, 280)])
def test_labels_come_back_in_their_place(kind: OutputKind, size: Size) -> None:
    metadata = replace(make_metadata(kind, size=Size(64, 64)), fit=Fit.PAD)
    image = np.zeros((*size.hw, 3), np.uint8)
    image[size.height // 2 :, size.width // 4 :] = 255
    expected = (image[..., 0] > 0).astype(np.uint8)
    (found,) = Predictor[Segmentation](BrightnessSession(metadata)).predict([image])
    assert found.labels.shape == size.hw
    assert (found.labels == expected).mean() > 0.93, "but for the edges, which the smaller size blurs"


def test_it_travels_with_the_file() -> None:
    metadata = replace(make_metadata(), fit=Fit.PAD)
    assert ExportMetadata.from_dict(metadata.to_dict(), "here").fit is Fit.PAD
    assert "fit" not in make_metadata().to_dict()
    assert ExportMetadata.from_dict(make_metadata().to_dict(), "here").fit is Fit.RESIZE
