"""What is traced: the contract's ends around a model."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from segpp_deploy.config import InputKind, Normalization, OutputKind, Size
from segpp_deploy.data.geometry.whole import prepare
from segpp_deploy.graph.exporting.deployable import Deployable
from tests.support.exporting import smooth_pictures, to_bytes

SIZE = Size(24, 40)
NORMALIZATION = Normalization((10.0, 120.0, 200.0), (5.0, 50.0, 100.0))


class FirstPixels(nn.Module):
    """Stands in for a network: logits of three classes at a quarter of the size, the channels themselves."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image[:, :, ::4, ::4]


@pytest.mark.parametrize("kind", list(InputKind))
def test_every_input_shows_the_network_the_same(kind: InputKind) -> None:
    (picture,) = to_bytes(smooth_pictures(SIZE))
    module = Deployable(FirstPixels(), kind, OutputKind.LOGITS, NORMALIZATION)
    shown = torch.from_numpy(prepare(picture, SIZE, kind, NORMALIZATION))[None]
    assert module.example_input(1, SIZE.hw).shape == shown.shape
    assert module.example_input(1, SIZE.hw).dtype == shown.dtype
    normalised = (picture[::4, ::4].astype("float32") - NORMALIZATION.mean) / NORMALIZATION.std
    expected = torch.from_numpy(normalised.astype("float32")).permute(2, 0, 1)[None]
    torch.testing.assert_close(module(shown), (expected,))
